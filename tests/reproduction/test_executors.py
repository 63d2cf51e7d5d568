import shutil
import types

import pytest

from hyperml_tf.reproduction import executors
from hyperml_tf.training.run_folder import Run


@pytest.mark.parametrize(
    "free, written, words",
    [
        (0, "", "no space left on the device of {folder}/log.txt"),
        (1 << 30, "", "no message (see {folder}/log.txt)"),
        (0, "first\nlast\n", "last (see {folder}/log.txt)"),
    ],
)
def test_a_failed_run_is_told_by_its_last_words_or_by_the_full_disk(
    free, written, words, monkeypatch, tmp_path
):
    disk = types.SimpleNamespace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    (tmp_path / "log.txt").write_text(written)
    task = types.SimpleNamespace(run=Run(tmp_path))
    assert executors._last_words(task) == words.format(folder=tmp_path)
