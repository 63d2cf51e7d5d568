"""Bad usage ends with exit code 2 and one clear line, never a trace."""

import json
import resource
import subprocess
import sys

import pytest

from tests.conftest import ROOT

CONFIG = "--config=run_configs/own_table.py"

CASES = {
    "no config": ([], "--config"),
    "missing config file": (["--config=run_configs/nowhere.py"], "nowhere.py"),
    "unknown model": ([f"{CONFIG}:svd", "--config.dataset=tiny"], "svd"),
    "unknown field": (
        [CONFIG, "--config.dataset=tiny", "--config.marginn=1"],
        "marginn",
    ),
    "field of another model": (
        [f"{CONFIG}:cml", "--config.dataset=tiny", "--config.c=2"],
        "config.c",
    ),
    "wrong type": ([CONFIG, "--config.dataset=tiny", "--config.dim=many"], "many"),
    "out of range": (
        [CONFIG, "--config.dataset=tiny", "--config.dropout=1.5"],
        "dropout",
    ),
    "negative curvature": (
        [CONFIG, "--config.dataset=tiny", "--config.c=-1"],
        "config.c",
    ),
    "unknown optimizer": (
        [CONFIG, "--config.dataset=tiny", "--config.optimizer=lion"],
        "lion",
    ),
    "dataset not set": ([CONFIG], "config.dataset"),
    "dataset as a path": ([CONFIG, "--config.dataset=./tiny"], "in --data_dir"),
    "dataset as a folder": ([CONFIG, "--config.dataset=tiny/"], "in --data_dir"),
    "dataset not prepared": ([CONFIG, "--config.dataset=absent"], "data_prep.prepare"),
    "fused kernel with a strategy": (
        [
            *(CONFIG, "--config.dataset=tiny"),
            *("--strategy=mirrored", "--kernel=fused"),
        ],
        "--kernel=tensorflow",
    ),
    "programs of XLA with a strategy": (
        [*(CONFIG, "--config.dataset=tiny"), "--strategy=mirrored", "--kernel=xla"],
        "--kernel=xla steps in one process",
    ),
    "strategy for a model of parts": (
        [f"{CONFIG}:ncf", "--config.dataset=tiny", "--strategy=mirrored"],
        "config.pretrained",
    ),
    "a start with a strategy": (
        [
            *(CONFIG, "--config.dataset=tiny"),
            *("--strategy=mirrored", "--start_from=runs/tiny/hyperml/0/seed-0"),
        ],
        "--start_from",
    ),
    "a start from no run": (
        [CONFIG, "--config.dataset=tiny", "--start_from=nowhere"],
        "nowhere is not a finished run",
    ),
    "like no run": (["--like=nowhere"], "nowhere is not a finished run"),
    "settings twice": ([CONFIG, "--like=nowhere"], "give one of"),
    "workers without a cluster": (
        [CONFIG, "--config.dataset=tiny", "--strategy=multi_worker"],
        "TF_CONFIG",
    ),
    "devices without a strategy": (
        [CONFIG, "--config.dataset=tiny", "--devices=2"],
        "--strategy=mirrored",
    ),
    "stray word": ([CONFIG, "--config.dataset=tiny", "please"], "please"),
}


@pytest.mark.parametrize("case", CASES)
def test_train_refuses(case, command, data_dir, tmp_path):
    flags, named = CASES[case]
    done = command(
        "hyperml_tf.train", *flags, f"--data_dir={data_dir}", f"--runs_dir={tmp_path}"
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert named in line and line.startswith("train: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "flags, named",
    [
        (["benchmark", "--rows=10,many"], "--rows=10,many"),
        (["reproduce", "--table=mine=clicks.csv"], "add mine to --datasets"),
        (["reproduce", "--datasets=games", "--items=game=x.csv"], "--items=game"),
        (["reproduce", "demo", "--models=cml"], "hyperml"),
        (["replicate", "--datasets=../tiny", "--models=cml"], "in --data_dir"),
        (["search", CONFIG, "--config.dataset=/tiny"], "in --data_dir"),
        (["search", CONFIG, "--config.dataset=tiny", "--space=dim:8,many"], "'many'"),
        (
            [
                "search",
                CONFIG,
                "--config.dataset=tiny",
                "--config.dim=8",
                "--space=dim:8",
            ],
            "--config.dim",
        ),
    ],
)
def test_other_commands_refuse(flags, named, command, data_dir, tmp_path):
    module, *flags = flags
    done = command(
        *(f"hyperml_tf.{module}", *flags, f"--data_dir={data_dir}"),
        *([] if module == "benchmark" else [f"--runs_dir={tmp_path}"]),
    )
    assert done.returncode == 2
    *_, line = done.stderr.strip().splitlines()
    assert named in line and line.startswith(f"{module}: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "module",
    [
        *("train", "replicate", "evaluate", "export", "recommend", "report"),
        *("vectors", "serve"),
    ],
)
def test_help_fits_one_screen(module, command):
    done = command(f"hyperml_tf.{module}", "--help")
    assert done.returncode == 0
    assert 5 <= len(done.stdout.splitlines()) <= 40


def test_a_damaged_prepared_folder_is_refused(command, data_dir, tmp_path):
    damaged = tmp_path / "tiny"
    damaged.mkdir()
    for path in (data_dir / "tiny").iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    whole = (damaged / "train_item.npy").read_bytes()
    (damaged / "train_item.npy").write_bytes(whole[:-8])
    done = command(
        *("hyperml_tf.train", CONFIG, "--config.dataset=tiny"),
        *(f"--data_dir={tmp_path}", f"--runs_dir={tmp_path / 'runs'}"),
    )
    assert done.returncode == 2
    assert "train_item.npy" in done.stderr and "data_prep.prepare" in done.stderr


def _small_files_only():
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def test_a_disk_that_takes_no_more_gets_one_line_and_2(data_dir, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hyperml_tf.train", CONFIG),
            *("--config.dataset=tiny", "--config.epochs=1", "--kernel=tensorflow"),
            *(f"--data_dir={data_dir}", f"--runs_dir={tmp_path}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=_small_files_only,
    )
    assert done.returncode == 2
    *_, line = done.stderr.strip().splitlines()
    assert line.startswith(f"train: cannot write to {tmp_path}") and "large" in line
    assert "Traceback" not in done.stderr


def test_a_prepared_folder_of_another_version_is_refused(command, data_dir, tmp_path):
    other = tmp_path / "tiny"
    other.mkdir()
    stats = json.loads((data_dir / "tiny" / "stats.json").read_text())
    (other / "stats.json").write_text(json.dumps(stats | {"format_version": 99}))
    done = command(
        *("hyperml_tf.train", CONFIG, "--config.dataset=tiny"),
        *(f"--data_dir={tmp_path}", f"--runs_dir={tmp_path / 'runs'}"),
    )
    assert done.returncode == 2
    assert "version 99" in done.stderr
