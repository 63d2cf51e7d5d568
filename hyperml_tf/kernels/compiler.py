"""Compiles the op's C++ source on first use, and loads it.

The library lies in the user's cache directory under a name that covers everything
its bits depend on but the compiler's version: source, TensorFlow, flags, processor.
"""

import concurrent.futures
import functools
import hashlib
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from types import ModuleType

import tensorflow as tf
from absl import logging

from hyperml_tf import files
from hyperml_tf.errors import InputError

_SOURCE = pathlib.Path(__file__).parent
# Not -ffast-math: it would set flush-to-zero in the whole process and drop NaNs, by
# which divergence is seen. Sums are reordered, or they would not vectorise.
_FLAGS = (
    *("-O3", "-march=native", "-fopenmp-simd", "-fno-math-errno"),
    *("-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math"),
    *("-fPIC", "-Wall", "-Wextra"),
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
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return pathlib.Path(base or pathlib.Path.home() / ".cache") / "hyperml_tf"
    except RuntimeError:
        raise KernelUnavailable(
            "this user has no home folder to keep the fused kernel in; set "
            "XDG_CACHE_HOME to a folder that can be written"
        ) from None


def _key() -> str:
    digest = hashlib.sha256()
    for file in (*_files("*.cc"), *_files("*.h")):
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    flags = (*_tensorflow_flags(), *_FLAGS, *_compiler()[1:])
    for part in (tf.__version__, *flags, _processor()):
        digest.update(f"{part}\n".encode())
    return digest.hexdigest()[:16]


def _files(pattern: str) -> list[pathlib.Path]:
    return sorted(_SOURCE.glob(pattern))


def _tensorflow_flags() -> list[str]:
    """For the compiler, then for the linker; warnings of TensorFlow's are not ours."""
    flags = tf.sysconfig.get_compile_flags() + tf.sysconfig.get_link_flags()
    return [re.sub("^-I", "-isystem", flag) for flag in flags]


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    seen = {line.split(":")[0].strip(): line for line in lines}
    return seen.get("model name", "") + seen.get("flags", seen.get("Features", ""))


def _compiler() -> list[str]:
    """The compiler's command: $CXX, split as a shell does, or g++."""
    given = os.environ.get("CXX", "")
    try:
        return shlex.split(given) or ["g++"]
    except ValueError as error:
        raise KernelUnavailable(
            f"CXX={given!r} is no command ({error}); set it to a C++ compiler"
        ) from None


def _compile(path: pathlib.Path) -> None:
    compiler = _compiler()
    if shutil.which(compiler[0]) is None:
        raise KernelUnavailable(
            f"the fused kernel needs a C++ compiler and there is no {compiler[0]!r}: "
            "install g++, or set CXX"
        )
    begin = time.monotonic()
    flags = *_FLAGS, *_tensorflow_flags()
    with (
        files.replacing_path(path) as library,
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".build") as folder,
    ):
        sources = _files("*.cc")
        objects = [os.path.join(folder, f"{source.stem}.o") for source in sources]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(
                pool.map(
                    lambda source, made: _run(
                        *(*compiler, *flags, "-c", str(source), "-o", made)
                    ),
                    *(sources, objects),
                )
            )
        _run(*compiler, "-shared", *objects, "-o", str(library), *flags)
    seconds = time.monotonic() - begin
    logging.info("built the fused kernel in %.0f s: %s", seconds, path)


def _run(compiler: str, *arguments: str) -> None:
    done = subprocess.run(
        [compiler, *arguments], capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line]
        raise KernelUnavailable(
            f"{compiler} could not build the fused kernel: "
            f"{(said or [f'exit code {done.returncode}'])[0]}"
        )
