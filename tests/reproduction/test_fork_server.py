import os
import signal
import time

import pytest

from hyperml_tf.errors import RunError
from hyperml_tf.reproduction.fork_server import ForkServer
from hyperml_tf.training.run_folder import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    return ForkServer("hyperml_tf.train")


def end_of(server, process):
    deadline = time.monotonic() + 120
    while not server.has_ended(process):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def flags(data_dir, runs_dir, epochs):
    return [
        *("--config=run_configs/own_table.py:cml", "--config.dataset=tiny"),
        *(f"--config.epochs={epochs}", "--config.eval_every=1", "--threads=1"),
        *("--config.dim=4", f"--data_dir={data_dir}", f"--runs_dir={runs_dir}"),
    ]


def only_run(folder):
    (path,) = folder.glob("tiny/cml/*/seed-0")
    return Run(path)


def test_a_fork_does_what_a_process_of_its_own_does(
    server, command, data_dir, tmp_path
):
    forked, alone = tmp_path / "forked", tmp_path / "alone"
    end_of(server, server.start(flags(data_dir, forked, 3), tmp_path / "log"))
    done = command("hyperml_tf.train", *flags(data_dir, alone, 3))
    assert done.returncode == 0, done.stderr
    for name in ("test_ranks.npy", "test_full_ranks.npy"):
        ranks = [only_run(f).folder / name for f in (forked, alone)]
        assert ranks[0].read_bytes() == ranks[1].read_bytes()
    said = (tmp_path / "log").read_text().splitlines()
    assert len(said) == 4 and "test nDCG@10" in said[-1]


def test_what_ends_badly_leaves_the_server_to_the_next(server, data_dir, tmp_path):
    log = tmp_path / "log"
    end_of(server, server.start(["--config=run_configs/no.py"], log))
    (line,) = log.read_text().splitlines()
    assert line.startswith("train: ") and "run_configs/no.py" in line

    endless = flags(data_dir, tmp_path, 10**5)
    killed, ended = (server.start([*endless, f"--seed={s}"], log) for s in (1, 2))
    os.kill(killed, signal.SIGKILL)
    end_of(server, killed)
    assert not server.has_ended(ended)
    server.terminate([ended])
    with pytest.raises(ProcessLookupError):
        os.kill(ended, 0)

    end_of(server, server.start(flags(data_dir, tmp_path, 1), log))
    assert only_run(tmp_path).done


def test_a_server_that_is_gone_is_named():
    server = ForkServer("hyperml_tf.train")
    server._server.kill()
    with pytest.raises(RunError, match="starts runs has ended with -9"):
        server.start([], "log")


def test_a_run_ends_whatever_python_waits_for_at_its_end(tmp_path):
    server = ForkServer("tests.reproduction.endless_exit")
    for code in ("0", "3"):
        begin = time.monotonic()
        end_of(server, server.start([code], tmp_path / "log"))
        assert time.monotonic() - begin < 60
    assert (tmp_path / "log").read_text() == "0\n3\n"
