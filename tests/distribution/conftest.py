"""One dataset and one run by a single process, which the others must equal."""

import pathlib

import pytest

from hyperml_tf.data.prepared import load
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import runs, trainer
from tests import synthetic

#: 600 users of 256 numbers are two parts of 256 KiB and more; 240 items are one.
SETTINGS = {"dim": 256, "batch_size": 53, "epochs": 40, "eval_every": 1, "patience": 0}
#: What a run by one process, or the resumed one, is compared at.
EPOCHS = 4


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, command) -> pathlib.Path:
    """A data folder with the dataset `mid`."""
    folder = tmp_path_factory.mktemp("distributed")
    table = synthetic.write_table(folder / "mid.csv", users=600, items=240)
    done = command(
        "data_prep.prepare",
        *("--dataset=mid", f"--table={table}", f"--data_dir={folder}"),
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def flags(prepared):
    """Flags of `hyperml_tf.train` for the run, with its dropout of 0.5."""
    settings = [f"--config.{name}={value}" for name, value in SETTINGS.items()]
    return [
        *("--config=run_configs/own_table.py", "--config.dataset=mid", *settings),
        f"--data_dir={prepared}",
    ]


@pytest.fixture(scope="session")
def config():
    """The same as `flags`, resolved."""
    config = configs.for_model("hyperml", dataset="mid")
    config.update(SETTINGS)
    return configs.resolve(config)


@pytest.fixture(scope="session")
def data(prepared):
    """The prepared dataset."""
    return load("mid", str(prepared))


@pytest.fixture(scope="session")
def alone(tmp_path_factory, config, data):
    """The first epochs of the run, by one process on the TensorFlow path."""
    run = runs.locate(tmp_path_factory.mktemp("alone"), config, data.fingerprint, 0)
    execution = trainer.Execution(stop_epoch=EPOCHS, kernel="tensorflow")
    trainer.train(config, data, run, execution)
    return run


@pytest.fixture
def find(config, data):
    """The run in a runs folder."""
    return lambda runs_dir: runs.locate(runs_dir, config, data.fingerprint, 0)
