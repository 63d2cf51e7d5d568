"""What a run ran on: written into its folder before the first step."""

import importlib.metadata
import pathlib
import platform
import subprocess

import tensorflow as tf

# tf.config has what turns it on, and nothing that tells whether it is.
from tensorflow.python.framework.config import is_op_determinism_enabled

_CPUS = pathlib.Path("/proc/cpuinfo")
_PACKAGES = ("tensorflow", "tf_keras", "tensorflow-recommenders", "numpy", "pandas")


def describe() -> dict:
    """Versions, machine, device and source commit."""
    gpus = tf.config.get_visible_devices("GPU")
    return {
        "commit": _commit(),
        "device": tf.config.experimental.get_device_details(gpus[0]).get(
            "device_name", "GPU"
        )
        if gpus
        else "CPU",
        "processor": _processor(),
        "kernel": "tensorflow",  # `train` says so where it is another
        "strategy": "none",  # likewise
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "op_determinism": is_op_determinism_enabled(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
    }


def _commit() -> str:
    """Commit of the source tree, "-dirty" if it has changes.

    "unknown" where git does not track this file: a package that is installed below
    another repository is not of its commits.
    """
    here = pathlib.Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", pathlib.Path(__file__).name)
        changes = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changes else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    try:
        for line in _CPUS.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
