"""Compiles the op's C++ source on first use, and loads it.

The library lies in the user's cache directory under a name that covers everything
its bits depend on but the compiler's version: source, TensorFlow, flags, processor.
"""

import functools
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import time
from types import ModuleType

import tensorflow as tf
from absl import logging

from hyperml_tf import files
from hyperml_tf.errors import InputError

_SOURCE = pathlib.Path(__file__).parent
_UNITS = ("step.cc", "lrml.cc", "warp.cc", "ops.cc")
_HEADERS = ("step.h", "trainer.h", "relation.h")
# Not -ffast-math: it would set flush-to-zero in the whole process and drop NaNs, by
# which divergence is seen. Sums are reordered, or they would not vectorise.
_FLAGS = (
    *("-O3", "-march=native", "-fopenmp-simd", "-fno-math-errno"),
    *("-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math"),
    *("-fPIC", "-shared", "-w"),
)


class KernelUnavailable(InputError):
    """The fused kernel cannot be used here; the message says why."""


@functools.cache
def library() -> ModuleType:
    """The op's Python module, compiled if this is its first use on the machine.

    Raises:
        KernelUnavailable: no compiler, it failed, or nowhere to keep its work.
    """
    try:
        return tf.load_op_library(str(library_path()))
    except (OSError, RuntimeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())
        raise KernelUnavailable(
            f"the fused kernel cannot be kept or loaded: {reason}; set XDG_CACHE_HOME "
            "to a folder that can be written"
        ) from None


def library_path() -> pathlib.Path:
    """The compiled library, made if it is not there; raises as `library` does."""
    path = cache_folder() / f"step-{_key()}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(path.with_suffix(".lock")):
            if not path.exists():  # another process may have built it meanwhile
                _compile(path)
    return path


def cache_folder() -> pathlib.Path:
    """Where libraries are kept: `$XDG_CACHE_HOME/hyperml_tf`, or below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "hyperml_tf"


def _key() -> str:
    digest = hashlib.sha256()
    for unit in (*_UNITS, *_HEADERS):
        digest.update((_SOURCE / unit).read_bytes())
    for part in (tf.__version__, *_tensorflow_flags(), *_FLAGS, _processor()):
        digest.update(f"{part}\n".encode())
    return digest.hexdigest()[:16]


def _tensorflow_flags() -> list[str]:
    return tf.sysconfig.get_compile_flags() + tf.sysconfig.get_link_flags()


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    seen = {line.split(":")[0].strip(): line for line in lines}
    return seen.get("model name", "") + seen.get("flags", seen.get("Features", ""))


def _compile(path: pathlib.Path) -> None:
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        raise KernelUnavailable(
            "the fused kernel needs a C++ compiler and there is none: install g++, or "
            "set CXX"
        )
    begin = time.monotonic()
    with files.replacing_path(path) as temporary:
        done = subprocess.run(
            [
                *(compiler, *_FLAGS, *(str(_SOURCE / unit) for unit in _UNITS)),
                *("-o", str(temporary), *_tensorflow_flags()),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            raise KernelUnavailable(
                f"{compiler} could not build the fused kernel: "
                f"{(errors or [f'exit code {done.returncode}'])[0]}"
            )
    seconds = time.monotonic() - begin
    logging.info("built the fused kernel in %.0f s: %s", seconds, path)
