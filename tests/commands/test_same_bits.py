"""Killed at any moment, or shared between processes, runs end in the same bits.

`HYPERML_KILLS=20 pytest tests/commands/test_same_bits.py` kills twenty times each;
without it there are a few, as every start of TensorFlow takes seconds.
"""

import csv
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("HYPERML_KILLS", "4"))
EPOCHS, EVAL_EVERY = 24, 3
#: What says when and on what, not what.
CLOCKS = {"seconds", "evaluation_seconds", "peak_memory_mb"}


@pytest.fixture(scope="module")
def whole(command, data_dir, tmp_path_factory):
    """Two seeds, one after the other, without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    done = command(*replicate(data_dir, folder, "--jobs=1"))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def replicate(data_dir, runs_dir, *more):
    return [
        *("hyperml_tf.replicate", "--datasets=tiny", "--models=hyperml", "--seeds=2"),
        *(f"--epochs={EPOCHS}", f"--eval_every={EVAL_EVERY}"),
        *(f"--data_dir={data_dir}", f"--runs_dir={runs_dir}", *more),
    ]


def train(data_dir, runs_dir, *more):
    return [
        *("hyperml_tf.train", "--config=run_configs/own_table.py:hyperml"),
        *("--config.dataset=tiny", f"--config.epochs={EPOCHS}"),
        *(f"--config.eval_every={EVAL_EVERY}", "--threads=1"),
        *(f"--data_dir={data_dir}", f"--runs_dir={runs_dir}", *more),
    ]


def start(flags):
    """A process, and those it starts, in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", *flags],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_at(process, runs_dir, epoch, delay, whole_group=True):
    """SIGKILL, `delay` after `runs_dir` has `epoch` epochs and this process writes.

    Returns whether the process was still there to be killed.
    """
    began = time.time()
    while process.poll() is None:
        written = [
            p for p in runs_dir.glob("*/*/*/*/environment.json") if age(p) > began
        ]
        if epoch <= 0 or (written and sum(map(epochs_of, written)) >= epoch):
            break
        time.sleep(0.005)
    time.sleep(delay)
    alive = process.poll() is None
    try:
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()
    return alive


def age(path):
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def epochs_of(environment: pathlib.Path) -> int:
    try:
        with open(environment.with_name("history.csv")) as file:
            return len(file.readlines()) - 1
    except FileNotFoundError:
        return 0


def moments(seed, count, last):
    """(epochs, delay) of kills: at the start, at random ones, after the last."""
    rng = random.Random(seed)
    early = [(0, rng.uniform(0, 4)) for _ in range(count // 4)]
    epochs = sorted(rng.randrange(1, last) for _ in range(count - len(early) - 1))
    return [*early, *((epoch, rng.uniform(0, 1)) for epoch in epochs), (last, 0.0)]


def contents(run: pathlib.Path) -> dict:
    """All that a finished run says, but the clocks."""
    metrics = json.loads((run / "metrics.json").read_text())
    with open(run / "history.csv") as file:
        history = [
            {key: value for key, value in row.items() if key not in CLOCKS}
            for row in csv.DictReader(file)
        ]
    checkpoints = {}
    for path in sorted((run / "checkpoints").glob("*.index")):
        reader = tf.train.load_checkpoint(str(path.with_suffix("")))
        for name in reader.get_variable_to_shape_map():
            if not set(name.split("/")) & {*CLOCKS, "save_counter"}:
                value = reader.get_tensor(name)
                bits = value if isinstance(value, bytes) else value.tobytes()
                checkpoints[path.stem.split("-")[0], name] = bits
    return {
        "metrics": {key: metrics[key] for key in metrics.keys() - CLOCKS},
        "ranks": [(run / f"test{of}_ranks.npy").read_bytes() for of in ("", "_full")],
        "history": history,
        "checkpoints": checkpoints,
    }


def runs_of(folder: pathlib.Path) -> dict[pathlib.Path, pathlib.Path]:
    found = folder.rglob("metrics.json")
    return {path.parent.relative_to(folder): path.parent for path in found}


def assert_same_bits(folder, whole, seeds):
    expected = {k: v for k, v in runs_of(whole).items() if k.name in seeds}
    runs = runs_of(folder)
    assert runs.keys() == expected.keys() and len(runs) == len(seeds)
    for name, run in runs.items():
        ours, theirs = contents(run), contents(expected[name])
        assert ours["checkpoints"].keys() == theirs["checkpoints"].keys()
        assert len(ours["checkpoints"]) > 10
        assert ours == theirs
        assert not list(run.rglob(".*"))  # nothing half-written is left


def test_seeds_differ(whole):
    one, other = (contents(run) for run in runs_of(whole).values())
    for part in one:
        assert one[part] != other[part]


def test_train_killed_at_random_moments_ends_in_the_same_bits(
    whole, command, data_dir, tmp_path
):
    flags = train(data_dir, tmp_path)
    killed = sum(
        kill_at(start(flags), tmp_path, epoch, delay)
        for epoch, delay in moments(20, KILLS, EPOCHS)
    )
    assert killed >= KILLS - 1  # the last one may find it done
    done = command(*flags)
    assert done.returncode == 0, done.stderr
    assert_same_bits(tmp_path, whole, {"seed-0"})


def test_replicate_killed_at_random_moments_ends_in_the_same_bits(
    whole, command, data_dir, tmp_path
):
    flags = replicate(data_dir, tmp_path, "--jobs=2")
    kills = KILLS // 2 if KILLS < 20 else KILLS
    *most, _ = moments(21, kills, 2 * EPOCHS)
    killed = sum(kill_at(start(flags), tmp_path, epoch, delay) for epoch, delay in most)
    # At last only replicate itself: its runs go on, and must not be begun twice.
    killed += kill_at(start(flags), tmp_path, EPOCHS // 2, 0.0, whole_group=False)
    assert killed == kills
    done = command(*flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_bits(tmp_path, whole, {"seed-0", "seed-1"})


def test_op_determinism_is_recorded_and_on_a_cpu_changes_no_bit(
    whole, command, data_dir, tmp_path
):
    done = command(*train(data_dir, tmp_path, "--op_determinism"))
    assert done.returncode == 0, done.stderr
    assert_same_bits(tmp_path, whole, {"seed-0"})
    for folder, expected in ((tmp_path, True), (whole, False)):
        (run,) = (r for n, r in runs_of(folder).items() if n.name == "seed-0")
        environment = json.loads((run / "environment.json").read_text())
        assert environment["op_determinism"] is expected
