"""`./run_all.sh` on a table: does what is new, and only that, also beside another."""

import json
import subprocess
import sys

import pytest

from tests import synthetic
from tests.conftest import ROOT


@pytest.mark.slow
def test_reproduce_does_what_is_new_and_notices_a_changed_table(command, tmp_path):
    table = synthetic.write_table(tmp_path / "tiny.csv")

    def reproduce(*more: str) -> tuple[str, set]:
        done = command(
            "hyperml_tf.reproduce",
            *("--datasets=tiny", "--models=cml,popularity", f"--table=tiny={table}"),
            *("--epochs=2", "--eval_every=1", "--jobs=2", *more),
            *(f"--{name}_dir={tmp_path / name}" for name in ("data", "runs", "raw")),
            f"--output={tmp_path / 'report'}",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, set((tmp_path / "runs").rglob("metrics.json"))

    said, first = reproduce("--seeds=1")
    assert "2 runs to do" in said and "ETA 0 s" in said and len(first) == 2
    assert (tmp_path / "report" / "report.html").exists()

    said, more = reproduce("--seeds=2")  # what is finished is not done again
    assert "1 runs to do" in said and first < more and len(more - first) == 1

    synthetic.write_table(table, seed=6)
    said, changed = reproduce("--seeds=1")
    assert "2 runs to do" in said and len(changed - more) == 2


@pytest.mark.slow
def test_what_was_prepared_from_a_table_is_taken_as_it_is(command, tmp_path):
    rows = synthetic.write_table(tmp_path / "tiny.csv").read_text().splitlines()
    table = tmp_path / "renamed.csv"
    table.write_text("\n".join(["who,what,when", *rows[1:]]) + "\n")
    folders = [f"--{name}_dir={tmp_path / name}" for name in ("data", "raw")]
    columns = ("--user_column=who", "--item_column=what", "--time_column=when")
    source = "--dataset=games", f"--table={table}", "--allow_count_mismatch"
    done = command("data_prep.prepare", *source, *columns, *folders)
    assert done.returncode == 0, done.stdout + done.stderr
    stats = (tmp_path / "data/games/stats.json").read_bytes()
    done = command(
        "hyperml_tf.reproduce",
        *("--datasets=games", "--models=popularity", *folders),
        *(f"--runs_dir={tmp_path / 'runs'}", f"--output={tmp_path / 'report'}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"as it was prepared from {table}" in done.stdout
    assert (tmp_path / "data/games/stats.json").read_bytes() == stats


@pytest.mark.slow
def test_two_at_once_share_the_work_and_neither_does_anything_twice(tmp_path):
    table = synthetic.write_table(tmp_path / "tiny.csv")
    both = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "hyperml_tf.reproduce", "--datasets=tiny"),
                *("--models=cml,popularity", f"--table=tiny={table}", "--seeds=3"),
                *("--epochs=4", "--eval_every=2", "--jobs=1"),
                *(f"--{name}_dir={tmp_path / name}" for name in ("data", "runs")),
                f"--output={tmp_path / 'report'}",
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("up to date" in text for text in said) == [False, True]
    runs = sorted(path.parent for path in tmp_path.rglob("metrics.json"))
    assert len(runs) == 3 + 1
    for run in runs:
        epochs = [row.split(",")[0] for row in _lines(run / "history.csv")[1:]]
        assert epochs == ([] if "popularity" in run.parts else ["1", "2", "3", "4"])
        # Each was trained by one process, from its first epoch on.
        log = (run / "log.txt").read_text()
        assert log.count("test nDCG@10") == 1 and "resuming" not in log
        assert "waiting for" not in log  # which would be a process idle
        assert json.loads((run / "metrics.json").read_text())["test"]["users"] == 60
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.rstrip().endswith("</html>")


def _lines(path):
    return path.read_text().splitlines() if path.exists() else []


def test_a_dataset_without_files_is_skipped_with_exit_code_3(command, tmp_path):
    done = command(
        "hyperml_tf.reproduce",
        *("--datasets=meetup", "--models=popularity"),
        *(f"--{name}_dir={tmp_path / name}" for name in ("data", "runs", "raw")),
        f"--output={tmp_path / 'report'}",
    )
    assert done.returncode == 3
    assert "skipped: meetup" in done.stdout + done.stderr


@pytest.mark.parametrize("flag", ["--table=games", "--items=games", "--table==x"])
def test_a_table_without_key_or_file_is_refused(flag, command, tmp_path):
    done = command("hyperml_tf.reproduce", flag, f"--runs_dir={tmp_path}")
    assert done.returncode == 2
    assert "KEY=FILE" in done.stderr
