"""A disk that fills up at any file, checkpoints that are not what they should be.

A message, nothing finished damaged, and the run goes on to the same numbers as if
nothing had happened, once there is room.
"""

import contextlib
import resource
import shutil
import subprocess

import pytest
import tensorflow as tf

from hyperml_tf.errors import InputError, RunError
from hyperml_tf.training import finished, trainer
from tests.training.conftest import numbers, settings, train_run

KIB = 1024


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of its own, in memory; gives its folder and what sets its size."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no `mount`")
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")

    def remount(option):
        subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)

    yield folder, remount
    subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def files_up_to(size):
    """No file of this process grows beyond `size` bytes; needs no mounting."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refusal(config, tree, folder):
    """What a run says that cannot be done for now."""
    with pytest.raises((InputError, OSError)) as caught:
        train_run(config, tree, folder)
    assert not list(folder.rglob("metrics.json"))
    return str(caught.value)


@pytest.fixture(scope="module")
def whole():
    """Metrics of the run without faults, filled by the first test that asks."""
    return {}


def assert_goes_on(config, tree, folder, whole, tmp_path):
    if not whole:
        whole.update(numbers(train_run(config, tree, tmp_path / "whole")[0]))
    metrics, run = train_run(config, tree, folder)
    assert numbers(metrics) == whole
    assert not list(run.folder.rglob(".*"))
    assert finished.restored(config, tree, run)


def test_a_read_only_disk_is_named_and_left_as_it_is(small_disk, tree):
    disk, remount = small_disk
    remount("ro")
    try:
        said = refusal(settings(), tree, disk)
    finally:
        remount("rw")
    assert "read-only" in said.lower() and str(disk) in said
    assert not list(disk.iterdir())


# Each fills up at another file, from the settings to the results.
@pytest.mark.parametrize("kib", [4, 24, 128, 192])
def test_a_full_disk_stops_the_run_and_it_goes_on_when_there_is_room(
    kib, small_disk, tree, tmp_path, whole
):
    disk, remount = small_disk
    config = settings()
    remount(f"size={kib}k")
    said = refusal(config, tree, disk)
    assert "no space left" in said.lower() and str(disk) in said
    remount("size=64m")
    assert_goes_on(config, tree, disk, whole, tmp_path)
    for path in disk.iterdir():
        shutil.rmtree(path)


@pytest.mark.parametrize("kib", [1, 32])
def test_a_file_that_cannot_grow_stops_the_run_and_it_goes_on(
    kib, tree, tmp_path, whole
):
    config, folder = settings(), tmp_path / "runs"
    with files_up_to(kib * KIB):
        said = refusal(config, tree, folder)
    assert "large" in said and "\n" not in said
    assert_goes_on(config, tree, folder, whole, tmp_path)


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Where `half_done` keeps its run."""
    return tmp_path_factory.mktemp("started")


@pytest.fixture
def half_done(tree, started, tmp_path):
    """A run left after four of its six epochs, and a copy of its checkpoints."""
    config = settings()
    if not list(started.iterdir()):
        train_run(config, tree, started, stop_epoch=4)
    shutil.copytree(started, tmp_path / "runs")
    (checkpoints,) = (tmp_path / "runs").rglob("checkpoints")
    return config, checkpoints


@pytest.mark.parametrize("length", [0, 10, 1000, -1, None])
@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
def test_a_damaged_checkpoint_is_refused_and_named(
    suffix, length, half_done, tree, tmp_path
):
    config, checkpoints = half_done
    (path,) = checkpoints.glob(f"last-*.{suffix}")
    content = path.read_bytes()
    if length is None:
        path.unlink()
    else:
        path.write_bytes(content[:length])
    before = {p: p.read_bytes() for p in checkpoints.iterdir()}
    with pytest.raises(InputError, match=f"{checkpoints} cannot be read .* remove it"):
        train_run(config, tree, tmp_path / "runs")
    assert before == {p: p.read_bytes() for p in checkpoints.iterdir()}


@pytest.mark.parametrize("change", [{"dim": 16}, {"optimizer": "adagrad"}])
def test_a_checkpoint_of_another_run_is_refused_and_named(
    change, half_done, tree, tmp_path
):
    _, checkpoints = half_done
    other = settings(**change)
    _, run = train_run(other, tree, tmp_path / "runs", stop_epoch=2)
    shutil.rmtree(run.folder / "checkpoints")
    shutil.copytree(checkpoints, run.folder / "checkpoints")
    with pytest.raises(InputError, match=r"cannot be read .* remove it"):
        train_run(other, tree, tmp_path / "runs")


def test_want_of_memory_is_one_line_with_the_remedy(tree, tmp_path, monkeypatch):
    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM of shape [9]\nstack")

    monkeypatch.setattr(trainer.Training, "_fit", full)
    with pytest.raises(RunError, match=r"OOM of shape \[9\].*batch_size"):
        train_run(settings(), tree, tmp_path)


@pytest.mark.parametrize("name", ["config.json", "environment.json"])
def test_a_damaged_file_of_a_finished_run_is_named(name, tree, tmp_path):
    _, run = train_run(settings(), tree, tmp_path)
    (run.folder / name).write_text('{"half')
    with pytest.raises(InputError, match=f"{name} is damaged .* train it again"):
        _ = run.config, run.environment


def test_a_finished_run_without_its_weights_is_named(tree, tmp_path):
    config = settings()
    _, run = train_run(config, tree, tmp_path)
    (run.folder / "checkpoints" / "best.index").unlink()
    with pytest.raises(InputError, match=f"remove {run.folder} and train it again"):
        finished.restored(config, tree, run)
