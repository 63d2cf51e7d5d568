"""Building on first use, and which kernel a run gets."""

import os

import pytest
import tf_keras as keras

from hyperml_tf.kernels import choosing, compiler
from hyperml_tf.models import GMF, MFBPR
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer
from tests.kernels.conftest import make


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache folder with nothing in it, and nothing loaded before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler.library.cache_clear()
    yield tmp_path / "hyperml_tf"
    compiler.library.cache_clear()


def use(model, choice, optimizer=None):
    return choosing.use(model, optimizer or model.optimizer, 16, choice)


def test_the_library_is_built_without_warnings_once_and_found_again(
    empty_cache, monkeypatch
):
    monkeypatch.setattr(compiler, "_FLAGS", (*compiler._FLAGS, "-Werror"))
    built = compiler.library_path()
    when = built.stat().st_mtime_ns
    monkeypatch.setenv("PATH", "")  # nothing could compile now
    assert compiler.library_path() == built
    assert list(empty_cache.glob("*.so")) == [built]
    assert built.stat().st_mtime_ns == when


def test_source_flags_and_processor_name_the_library(monkeypatch):
    keys = [compiler._key()]
    for name, value in (
        ("_files", lambda pattern: []),
        ("_FLAGS", ("-O1",)),
        ("_processor", lambda: "another"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(compiler, name, value)
            keys.append(compiler._key())
    assert len(set(keys)) == 4


def test_without_a_compiler_auto_takes_tensorflow(empty_cache, monkeypatch):
    monkeypatch.setenv("PATH", "")
    model = make("hyperml")
    assert use(model, "auto") == "tensorflow"
    assert model.kernel is None
    assert not list(empty_cache.glob("*.so"))


def test_without_a_compiler_fused_is_refused_with_the_remedy(empty_cache, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(compiler.KernelUnavailable, match=r"g\+\+.*--kernel=tensorflow"):
        use(make("hyperml"), "fused")


@pytest.fixture
def small_source(empty_cache, tmp_path, monkeypatch):
    """A source that compiles in no time."""
    (tmp_path / "small.cc").write_text("int answer() { return 42; }")
    monkeypatch.setattr(compiler, "_SOURCE", tmp_path)


@pytest.mark.parametrize("given", ["g++ -std=c++17", "env g++", "", "  "])
def test_cxx_is_a_command_with_arguments(small_source, monkeypatch, given):
    monkeypatch.setenv("CXX", given)
    built = compiler.library_path()
    assert built.stat().st_size > 0
    monkeypatch.setenv("CXX", f"{given.strip() or 'g++'} -O1")
    assert compiler.library_path() != built


@pytest.mark.parametrize("given", ["'g++", "absent -O2"])
def test_a_cxx_that_is_no_command_is_named(empty_cache, monkeypatch, given):
    monkeypatch.setenv("CXX", given)
    with pytest.raises(compiler.KernelUnavailable, match=given.split()[0]):
        use(make("hyperml"), "fused")


@pytest.mark.parametrize("umask, mode", [(0o022, 0o755), (0o077, 0o700)])
def test_who_may_read_the_library_is_for_the_umask_to_say(
    small_source, empty_cache, umask, mode
):
    before = os.umask(umask)
    try:
        assert compiler.library_path().stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)
    assert not [path for path in empty_cache.iterdir() if path.is_dir()]


def test_without_a_home_auto_takes_tensorflow(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(compiler.pathlib.Path, "home", homeless)
    compiler.library.cache_clear()
    assert use(make("hyperml"), "auto") == "tensorflow"
    with pytest.raises(compiler.KernelUnavailable, match=r"no home.*XDG_CACHE_HOME"):
        use(make("hyperml"), "fused")


def test_a_source_that_does_not_compile_names_the_error(empty_cache, monkeypatch):
    monkeypatch.setattr(compiler, "_FLAGS", (*compiler._FLAGS, "-include", "absent.h"))
    with pytest.raises(compiler.KernelUnavailable, match=r"absent\.h"):
        use(make("hyperml"), "fused")
    assert not list(empty_cache.glob("*.so"))


@pytest.mark.parametrize("left", ["a file where the folder should be", "no library"])
def test_an_unusable_cache_leaves_auto_to_tensorflow(empty_cache, left):
    if left == "no library":
        compiler.library_path().write_bytes(b"not an object")
    else:
        empty_cache.touch()
    model = make("hyperml")
    assert use(model, "auto") == "tensorflow"
    assert choosing.compiled("auto") is None
    with pytest.raises(
        compiler.KernelUnavailable, match=r"XDG_CACHE_HOME.*--kernel=tens"
    ):
        use(model, "fused")


def test_auto_is_fused_here_and_tensorflow_when_asked_for():
    model = make("hyperml")
    assert use(model, "tensorflow") == "tensorflow"
    assert model.kernel is None
    assert use(model, "auto") == "fused"
    assert model.kernel is not None


@pytest.mark.parametrize(
    "optimizer",
    [
        LazyAdam(),  # would let rows leave the ball
        PoincareOptimizer(keras.optimizers.Adamax()),
        PoincareOptimizer(LazyAdam(), retraction="exp"),
        PoincareOptimizer(LazyAdam(clipnorm=1.0)),
        PoincareOptimizer(keras.optimizers.SGD(momentum=0.9)),
    ],
)
def test_optimizers_with_other_arithmetic_are_left_to_tensorflow(optimizer):
    model = make("hyperml")
    assert use(model, "auto", optimizer) == "tensorflow"
    with pytest.raises(compiler.KernelUnavailable, match="--kernel=tensorflow"):
        use(model, "fused", optimizer)


def test_a_model_without_a_fused_kernel_is_left_to_tensorflow():
    options = dict(dim=8, init_scale=0.1, dropout=0.0, seed=0, l2=0.0)
    model = GMF(*(12, 9), dense_init="glorot", **options)
    with pytest.raises(compiler.KernelUnavailable, match="GMF has no fused kernel"):
        use(model, "fused", LazyAdam())


def test_item_biases_are_left_to_tensorflow():
    options = dict(dim=8, init_scale=0.1, dropout=0.0, seed=0, l2=0.0)
    model, plain = (MFBPR(12, 9, item_bias=b, **options) for b in (True, False))
    assert use(model, "auto", LazyAdam()) == "tensorflow"
    with pytest.raises(
        compiler.KernelUnavailable, match="no item biases; use --kernel="
    ):
        use(model, "fused", LazyAdam())
    assert use(plain, "fused", LazyAdam()) == "fused"


def test_the_command_says_in_one_line_why_fused_cannot_be(
    command, data_dir, tmp_path, monkeypatch
):
    monkeypatch.setenv("CXX", "absent")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = command(
        *("hyperml_tf.train", "--kernel=fused", "--config=run_configs/own_table.py"),
        *("--config.dataset=tiny", f"--data_dir={data_dir}", f"--runs_dir={tmp_path}"),
    )
    assert done.returncode == 2
    *_, line = done.stderr.strip().splitlines()
    assert "needs a C++ compiler" in line and "--kernel=tensorflow" in line
