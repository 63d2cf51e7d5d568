"""When TensorFlow loads, and with which settings."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

ABOUT_TENSORFLOW = (
    "TF_USE_LEGACY_KERAS",
    "TF_CPP_MIN_LOG_LEVEL",
    "NVIDIA_TF32_OVERRIDE",
)


def python(program, **environment):
    """What a program prints, started from the repository without our variables."""
    inherited = {k: v for k, v in os.environ.items() if k not in ABOUT_TENSORFLOW}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("module", ["train", "replicate", "search", "reproduce"])
def test_help_does_not_load_tensorflow(module):
    program = f"""
import atexit, runpy, sys
atexit.register(lambda: print("tensorflow" in sys.modules, flush=True))
sys.argv = ["{module}", "--help"]
runpy.run_module("hyperml_tf.{module}", run_name="__main__", alter_sys=True)
"""
    assert python(program) == "False"


def test_a_command_sets_what_the_user_has_not():
    program = f"""
import os
from absl import app
from hyperml_tf import command_line
app.run = lambda *_, **__: print([os.environ[n] for n in {ABOUT_TENSORFLOW}])
command_line.run(lambda: None, "")
"""
    assert python(program) == "['1', '3', '0']"
    assert python(program, TF_CPP_MIN_LOG_LEVEL="0") == "['1', '0', '0']"
