"""Runs over devices and processes: the numbers of one process, and no hanging."""

import re

import numpy as np
import pytest

from tests.distribution.conftest import EPOCHS
from tests.distribution.processes import processes, wait_for

# float32 sums in another order, over some hundred Adam steps.
LOSS_TOLERANCE = 1e-5
TERMS = ("loss/total", "loss/pull_push", "loss/distortion", "ball/max_norm")
#: Seconds that a process may not answer, and after which the others must be gone.
PATIENCE, GONE = 25, 90


def _assert_same_losses(run, alone, epochs):
    ours, theirs = run.history(), alone.history()[:epochs]
    assert len(ours) == len(theirs) == epochs
    for term in TERMS:
        np.testing.assert_allclose(
            [float(row[term]) for row in ours],
            [float(row[term]) for row in theirs],
            rtol=LOSS_TOLERANCE,
        )


def _saved(run):
    return run.folder / "checkpoints" / "checkpoint"


def _resumed(said):
    epoch = re.search(r"resuming .*seed-0 at epoch (\d+)", said)
    return epoch and 0 < int(epoch[1]) < EPOCHS


def test_mirrored_devices_lose_what_one_process_loses(
    command, flags, alone, find, tmp_path
):
    spread = ("--strategy=mirrored", "--devices=2", "--threads=1", "--stop_epoch=2")
    done = command("hyperml_tf.train", *flags, *spread, f"--runs_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    run = find(tmp_path)
    _assert_same_losses(run, alone, 2)
    recorded = {key: run.environment[key] for key in ("strategy", "replicas", "kernel")}
    assert recorded == {"strategy": "mirrored", "replicas": 2, "kernel": "tensorflow"}
    assert "kernel: tensorflow, as" in done.stdout


def test_two_workers_resume_after_a_kill_and_lose_what_one_process_loses(
    flags, alone, find, tmp_path
):
    run = find(tmp_path)
    flags = [*flags, "--strategy=multi_worker", f"--cluster_timeout={PATIENCE}"]
    with processes(worker=2) as workers:
        workers.start("worker", 0, *flags, f"--runs_dir={tmp_path}")
        workers.start("worker", 1, *flags, f"--runs_dir={tmp_path / 'not_here'}")
        wait_for(_saved(run).exists, workers)
        workers.kill("worker 1")
        assert workers.code("worker 0", GONE) == 1
        assert re.search("train: .*the same commands go on", workers.said("worker 0"))
    assert not run.done

    with processes(worker=2) as workers:
        flags.append(f"--stop_epoch={EPOCHS}")
        workers.start("worker", 0, *flags, f"--runs_dir={tmp_path}")
        workers.start("worker", 1, *flags, f"--runs_dir={tmp_path / 'not_here'}")
        assert workers.code("worker 0") == workers.code("worker 1") == 0
        assert _resumed(workers.said("worker 0"))
    _assert_same_losses(run, alone, EPOCHS)
    assert not (tmp_path / "not_here").exists()


def test_one_worker_and_two_servers_lose_what_one_process_loses(
    flags, alone, find, tmp_path
):
    strategy = ("--strategy=parameter_server", "--stop_epoch=2")
    with processes(chief=1, worker=1, ps=2) as started:
        started.start_all(*flags, *strategy, f"--runs_dir={tmp_path}")
        for name in ("chief 0", "worker 0", "ps 0", "ps 1"):
            assert started.code(name) == 0, started.said(name)
    run = find(tmp_path)
    _assert_same_losses(run, alone, 2)
    # Each server holds half of the users with both moments, one the items too.
    half, items = 3 * 300 * 256 * 4, 3 * 240 * 256 * 4
    parts = [p.stat().st_size for p in run.folder.glob("checkpoints/last-*.data-*")]
    assert sorted(size // 1000 for size in parts) == [
        size // 1000 for size in (min(parts), half, half + items)
    ]


def test_a_worker_whose_peer_never_comes_ends_by_name(flags, tmp_path):
    flags = [*flags, "--strategy=multi_worker", "--cluster_timeout=3"]
    with processes(worker=2) as workers:
        workers.start("worker", 0, *flags, f"--runs_dir={tmp_path}")
        assert workers.code("worker 0", GONE) == 1
        assert "train: worker 1 at 127.0.0.1:" in workers.said("worker 0")


@pytest.mark.long
def test_a_worker_without_the_dataset_ends_by_name_and_its_peer_too(flags, tmp_path):
    flags = [*flags, "--strategy=multi_worker", f"--cluster_timeout={PATIENCE}"]
    with processes(worker=2) as workers:
        workers.start("worker", 0, *flags, f"--runs_dir={tmp_path}")
        elsewhere = f"--data_dir={tmp_path}", f"--runs_dir={tmp_path}"
        workers.start("worker", 1, *flags, *elsewhere)
        assert workers.code("worker 1", GONE) == 2
        assert "no prepared dataset" in workers.said("worker 1")
        assert workers.code("worker 0", GONE) == 1


@pytest.mark.long
@pytest.mark.parametrize("victim", ["worker 0", "ps 1"])
def test_a_killed_server_or_worker_ends_the_job_and_it_resumes(
    victim, flags, alone, find, tmp_path
):
    run = find(tmp_path)
    flags = [*flags, "--strategy=parameter_server", f"--runs_dir={tmp_path}"]
    flags.append(f"--cluster_timeout={PATIENCE}")
    with processes(chief=1, worker=1, ps=2) as started:
        started.start_all(*flags)
        wait_for(_saved(run).exists, started)
        started.kill(victim)
        assert started.code("chief 0", GONE) == 1
        assert re.search("train: .*the same commands go on", started.said("chief 0"))
        for name in {"worker 0", "ps 0", "ps 1"} - {victim}:
            assert started.code(name, GONE) == 0  # they only serve
    assert not run.done
    with processes(chief=1, worker=1, ps=2) as started:
        started.start_all(*flags, f"--stop_epoch={EPOCHS}")
        assert started.code("chief 0") == 0, started.said("chief 0")
        assert _resumed(started.said("chief 0"))
    _assert_same_losses(run, alone, EPOCHS)


@pytest.mark.long
def test_a_worker_that_comes_back_in_time_goes_on(flags, find, tmp_path):
    flags = [*flags, "--strategy=parameter_server", f"--runs_dir={tmp_path}"]
    flags.append("--stop_epoch=8")
    run = find(tmp_path)
    with processes(chief=1, worker=2, ps=2) as started:
        started.start_all(*flags)
        wait_for(_saved(run).exists, started)
        started.kill("worker 1")
        started.start("worker", 1, *flags)
        assert started.code("chief 0") == 0, started.said("chief 0")
    losses = [float(row["loss/total"]) for row in run.history()]
    assert len(losses) == 8 and losses[-1] < losses[0]
