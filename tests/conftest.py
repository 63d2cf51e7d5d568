"""Fixtures that more than one room uses."""

import importlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from absl import flags

from hyperml_tf.data.interactions import Interactions
from tests import synthetic

# As for the commands: serving needs Keras 2, whatever other tests import before it.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
# The processes of the suite share a GPU, if there is one.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

SEED = 20200203
ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def rng():
    """A generator of its own for every test, always the same."""
    return np.random.default_rng(SEED)


@pytest.fixture
def make_interactions():
    """Builds `Interactions` in memory from lists of items, one list per user."""

    def make(train, num_items, valid=None, test=None, negatives=None):
        users = len(train)
        none = np.full(users, -1, np.int32)
        if negatives is None:
            negatives = np.full((users, 100), -1, np.int32)
        return Interactions(
            name="memory",
            train_user=np.repeat(np.arange(users), [len(t) for t in train]).astype(
                np.int32
            ),
            train_item=np.array([i for items in train for i in items], np.int32),
            valid_item=none if valid is None else np.asarray(valid, np.int32),
            test_item=none if test is None else np.asarray(test, np.int32),
            valid_negatives=np.asarray(negatives, np.int32),
            test_negatives=np.asarray(negatives, np.int32),
            user_ids=[f"u{user}" for user in range(users)],
            item_ids=[f"i{item}" for item in range(num_items)],
            fingerprint="memory",
        )

    return make


@pytest.fixture(scope="session")
def command():
    """Runs `python -m MODULE FLAGS` from the repository, one thread, no GPU."""

    def run(module: str, *flags: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", module, *flags],
            cwd=ROOT,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def main():
    """Calls a command's `main` in this process: `main("recommend", "--k=3", …)`.

    A module defines its flags when it is imported, and two commands may have flags of
    the same name. So the module and its flags go again after the test.
    """
    before, modules = set(flags.FLAGS), set()

    def call(name: str, *words: str):
        module = importlib.import_module(f"hyperml_tf.{name}")
        modules.add(module.__name__)
        for flag in set(flags.FLAGS) - before:
            flags.FLAGS[flag].unparse()
        flags.FLAGS([name, *map(str, words)])
        return module.main()

    yield call
    for flag in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, flag)
    for module in modules:
        del sys.modules[module]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory, command) -> pathlib.Path:
    """A data folder with one prepared dataset, `tiny`."""
    folder = tmp_path_factory.mktemp("prepared")
    table = synthetic.write_table(folder / "tiny.csv")
    done = command(
        "data_prep.prepare",
        "--dataset=tiny",
        f"--table={table}",
        f"--data_dir={folder}",
    )
    assert done.returncode == 0, done.stderr
    return folder
