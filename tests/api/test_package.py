"""What `import hyperml_tf` is: quick, lazy, and without a side effect."""

import json
import os
import subprocess
import sys
import types

import pytest

import hyperml_tf as hml
from tests.conftest import ROOT


def python(program: str, **environment: str) -> str:
    """What a program prints in a fresh process without our settings."""
    env = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=env | {"CUDA_VISIBLE_DEVICES": "-1"} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_loads_nothing_and_changes_no_environment_variable():
    said = json.loads(
        python(
            "import json, os, sys\n"
            "before = dict(os.environ)\n"
            "import hyperml_tf\n"
            "heavy = {'tensorflow', 'pandas', 'numpy'} & set(sys.modules)\n"
            "print(json.dumps([sorted(heavy), before == dict(os.environ)]))"
        )
    )
    assert said == [[], True]


@pytest.mark.parametrize("name", hml.__all__)
def test_every_public_name_is_there(name):
    assert getattr(hml, name) is not None
    assert name in dir(hml)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'HyperMl'"):
        hml.HyperMl  # noqa: B018


@pytest.mark.parametrize("name", ["evaluate", "export", "recommend"])
def test_a_command_does_not_hide_the_function_of_its_name(name):
    # What Python does when the command's module is imported.
    setattr(hml, name, types.ModuleType(f"hyperml_tf.{name}"))
    assert getattr(hml, name).__name__ == name


@pytest.mark.slow
def test_serving_comes_after_tensorflow_but_not_after_keras_3():
    program = (
        "import tensorflow as tf\n"
        "{}\n"
        "try:\n"
        "    import hyperml_tf.serving.tfrs\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    assert python(program.format("")) == ""
    refused = python(program.format("tf.keras.Model")).splitlines()
    assert len(refused) == 1
    assert "set TF_USE_LEGACY_KERAS=1 before TensorFlow is imported" in refused[0]
