"""The command: usage, what is left alone, what is replaced, and what survives."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from data_prep import folder
from tests.data_prep import publishers
from tests.data_prep.conftest import ARRAYS, load
from tests.data_prep.test_formats import STORY, numbered

ROOT = Path(__file__).parents[2]
TABLE = "user,item,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in STORY)


def _process(tmp_path, *flags, **how):
    command = [sys.executable, "-m", "data_prep.prepare", f"--data_dir={tmp_path}/data"]
    return subprocess.Popen(
        [*command, *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


def test_help_is_one_screen(command):
    result = command("--help")
    assert result.code == 0
    assert len(result.out.splitlines()) <= 50
    assert max(map(len, result.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "--dataset=KEY is missing"),
        (("--dataset=nope",), "add --table=FILE"),
        (("--dataset=../x", "--table=t.csv"), "letters, digits"),
        (("--dataset=ml1m,games", "--table=t.csv"), "exactly one"),
        (("--dataset=all", "--items=i.csv"), "exactly one"),
        (("--dataset=ml1m", "--user_column=u"), "goes with --table"),
        (("--dataset=ml1m", "--seed=-1"), "0 or more"),
        (("--dataset=ml1m", "--seed=x"), "invalid int"),
        (("--dataset=ml1m", "--mirror=ftp://x"), "http"),
        (("--datset=ml1m",), "unrecognized"),
    ],
)
def test_bad_usage_gets_one_line_and_2(command, tmp_path, flags, said):
    result = command(*flags)
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_name_may_hold_the_word_all(command, write_table):
    table = write_table("user,item\na,x\na,y\na,z\nb,x\nb,y\nb,z\n")
    assert command("--dataset=small-football", f"--table={table}").code == 0


def test_stats_hold_what_others_rely_on(command, write_table, tmp_path):
    table = write_table(TABLE)
    assert command("--dataset=mine", f"--table={table}", "--seed=7").code == 0
    prepared = load(tmp_path / "data/mine")
    stats = prepared.stats
    assert stats["format_version"] == 1
    assert stats["seed"] == 7
    assert stats["density"] == 9 / (3 * 4)
    assert stats["density_table1"] == 15 / (3 * 4)
    assert stats["checksums"] == {"table.csv": folder.sha256(table)}
    arrays = {name: getattr(prepared, name) for name in ARRAYS}
    assert stats["fingerprint"] == folder.fingerprint(arrays)
    for name, array in arrays.items():
        assert array.dtype == "int32"
        described = stats["arrays"][f"{name}.npy"]
        assert described["shape"] == list(array.shape)
        path = tmp_path / f"data/mine/{name}.npy"
        assert described["sha256"] == folder.sha256(path)


def test_what_is_up_to_date_is_left_alone(command, write_table, tmp_path):
    flags = ("--dataset=mine", f"--table={write_table(TABLE)}")
    assert "up to date" not in command(*flags).out
    before = (tmp_path / "data/mine").stat()
    assert "up to date" in command(*flags).out
    assert (tmp_path / "data/mine").stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    "change",
    ["seed", "table", "items", "columns", "array", "missing", "version", "stats"],
)
def test_what_changed_is_prepared_again(command, write_table, tmp_path, change):
    table = write_table(TABLE)
    flags = ["--dataset=mine", f"--table={table}"]
    assert command(*flags).code == 0
    target = tmp_path / "data/mine"
    stats = json.loads((target / "stats.json").read_text())
    if change == "seed":
        flags.append("--seed=1")
    elif change == "table":
        table.write_text(TABLE + "D,p,1\n")
    elif change == "items":
        items = write_table("item,title\np,P\n", "items.csv")
        flags.append(f"--items={items}")
    elif change == "columns":
        flags.append("--time_column=")
    elif change == "array":
        os.truncate(target / "test_item.npy", 130)
    elif change == "missing":
        (target / "item_ids.txt").unlink()
    elif change == "version":
        (target / "stats.json").write_text(json.dumps(stats | {"format_version": 0}))
    elif change == "stats":
        (target / "stats.json").write_text("{")
    result = command(*flags)
    assert (result.code, "up to date" in result.out) == (0, False)
    load(target)
    assert "up to date" in command(*flags).out
    assert os.listdir(tmp_path / "data") == ["mine"]


def test_a_folder_with_files_of_the_users_is_not_replaced(
    command, write_table, tmp_path
):
    (tmp_path / "data/mine").mkdir(parents=True)
    table = write_table(TABLE, "data/mine/clicks.csv")
    result = command("--dataset=mine", f"--table={table}")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "clicks.csv" in result.err and "elsewhere" in result.err
    assert table.read_text() == TABLE
    assert os.listdir(tmp_path / "data") == ["mine"]


def test_titles_keep_to_one_line_each(command, write_table, tmp_path):
    table = write_table(TABLE)
    titles = write_table('item,title,genres\np,"A\rB\n C",x\nq,"D\tE",y\n', "items.csv")
    result = command("--dataset=mine", f"--table={table}", f"--items={titles}")
    assert (result.code, "titles of 2 of 4 items" in result.out) == (0, True)
    items = pd.read_csv(tmp_path / "data/mine/items.csv", keep_default_na=False)
    assert len(items) == 4
    assert list(items.title[:2]) == ["A B C", "D E"]


def test_titles_of_other_items_are_refused(command, write_table):
    table = write_table(TABLE)
    titles = write_table("item,title\n01,A\n02,B\n", "items.csv")
    result = command("--dataset=mine", f"--table={table}", f"--items={titles}")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "'01'" in result.err and "'p'" in result.err


def test_a_bad_input_leaves_the_prepared_folder_as_it_was(
    command, write_table, tmp_path
):
    table = write_table(TABLE)
    assert command("--dataset=mine", f"--table={table}").code == 0
    before = load(tmp_path / "data/mine").stats
    table.write_text("user,item\n1,1\n")
    assert command("--dataset=mine", f"--table={table}").code == 2
    assert load(tmp_path / "data/mine").stats == before
    assert os.listdir(tmp_path / "data") == ["mine"]


def test_equal_seeds_agree_and_others_change_only_the_negatives(
    command, write_table, tmp_path
):
    rows = "".join(f"{u},{u * 23 + t},{t}\n" for u in range(9) for t in range(20))
    table = write_table("user,item,timestamp\n" + rows)
    prepared = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert (
            command(f"--dataset={name}", f"--table={table}", f"--seed={seed}").code == 0
        )
        prepared.append(load(tmp_path / "data" / name))
    a, b, c = prepared
    assert a.stats["fingerprint"] == b.stats["fingerprint"] != c.stats["fingerprint"]
    for name in ARRAYS[:4]:
        assert (getattr(a, name) == getattr(c, name)).all()
    for name in ARRAYS[4:]:
        assert (getattr(a, name) != getattr(c, name)).any()
    assert (a.valid_negatives != a.test_negatives).any()


def test_known_counts_are_insisted_on_unless_overridden(command, write_table, tmp_path):
    flags = ("--dataset=games", f"--table={write_table(TABLE)}")
    result = command(*flags)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "users 3 instead of 19,412" in result.err
    assert not (tmp_path / "data").exists()
    result = command(*flags, "--allow_count_mismatch")
    assert (result.code, "warning" in result.err) == (0, True)
    assert load(tmp_path / "data/games").stats["counts_match"] is False
    # Without the override it is not up to date but refused again.
    assert command(*flags).code == 2


def test_rounded_counts_only_warn(command, write_table, tmp_path):
    result = command("--dataset=meetup", f"--table={write_table(TABLE)}")
    assert result.code == 0
    assert "users 3 (paper 47,000)" in result.err
    stats = load(tmp_path / "data/meetup").stats
    assert stats["matches_paper"] is False
    assert stats["paper"]["interactions"] == 248_000


def test_what_the_user_must_ask_for_is_skipped_with_a_paragraph(command, tmp_path):
    publishers.zip_of(
        tmp_path / "raw/ml-100k.zip", {"ml-100k/u.data": b"\n".join(numbered("\t"))}
    )
    result = command(
        "--dataset=yelp,ml100k,meetup",
        "--allow_count_mismatch",
        "--allow_checksum_mismatch",
    )
    assert result.code == 3
    assert "https://www.yelp.com/dataset" in result.err
    assert "train/event_users.txt" in result.err
    assert str(tmp_path / "raw") in result.err
    assert "skipped: yelp, meetup" in result.out
    assert os.listdir(tmp_path / "data") == ["ml100k"]


def test_bad_input_outranks_a_skipped_dataset(command, tmp_path):
    publishers.zip_of(tmp_path / "raw/ml-100k.zip", {"x": b"y"})
    result = command("--dataset=ml100k,yelp")
    assert result.code == 2
    assert "failed: ml100k" in result.out


def test_what_is_prepared_stays_current_without_its_raw_files(command, tmp_path):
    flags = ("--allow_count_mismatch", "--allow_checksum_mismatch")
    raw = tmp_path / "raw/ml-100k.zip"
    publishers.zip_of(raw, {"ml-100k/u.data": b"\n".join(numbered("\t"))})
    assert command("--dataset=ml100k", *flags).code == 0
    shutil.rmtree(tmp_path / "raw")
    result = command("--dataset=ml100k", *flags)
    assert (result.code, "up to date" in result.out) == (0, True)


def test_statistics_print_table_1_beside_ours(command, write_table):
    command("--dataset=meetup", f"--table={write_table(TABLE)}")
    command("--dataset=mine", f"--table={write_table(TABLE)}")
    result = command("--statistics")
    assert result.code == 0
    lines = result.out.splitlines()
    assert len(lines) == 2 + 10 + 1
    assert (
        "| meetup | 3 | 4 | 9 | 15 | 125.00 | 248K | 47K | 17K | 0.03 | no |" in lines
    )
    assert "| mine | 3 | 4 | 9 | 15 | 125.00 | – | – | – | – | – |" in lines
    assert any("| ml1m |" in line and "not prepared" in line for line in lines)


def test_a_folder_that_cannot_be_written_gets_one_line(command, write_table, tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    result = command("--dataset=mine", f"--table={write_table(TABLE)}")
    assert (result.code, result.err.count("\n")) == (2, 1)


def test_a_full_disk_gets_one_line_and_leaves_nothing(
    command, write_table, tmp_path, monkeypatch
):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.np, "save", full)
    result = command("--dataset=mine", f"--table={write_table(TABLE)}")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "No space left" in result.err
    assert not (tmp_path / "data").exists()


def test_leftovers_of_a_killed_process_are_cleared(command, write_table, tmp_path):
    flags = ("--dataset=mine", f"--table={write_table(TABLE)}")
    for name in (".mine.preparing", ".mine.replaced"):
        path = tmp_path / "data" / name
        path.mkdir(parents=True)
        (path / "train_user.npy").write_bytes(b"half")
    assert command(*flags).code == 0
    assert os.listdir(tmp_path / "data") == ["mine"]
    (tmp_path / "data/.mine.replaced").mkdir()
    assert "up to date" in command(*flags).out
    assert os.listdir(tmp_path / "data") == ["mine"]


def _big_table(tmp_path) -> str:
    rows = (f"{n // 20},{n * 7919 % 5003},{n}\n" for n in range(200_000))
    path = tmp_path / "big.csv"
    path.write_text("user,item,timestamp\n" + "".join(rows))
    return f"--table={path}"


@pytest.mark.slow
def test_killed_at_twenty_moments_it_ends_as_if_it_had_not_been(tmp_path):
    table = _big_table(tmp_path)
    whole = tmp_path / "whole"
    began = time.monotonic()
    assert _process(whole, "--dataset=mine", table).wait() == 0
    seconds = time.monotonic() - began
    expected = load(whole / "data/mine").stats["fingerprint"]
    moments = random.Random(7)
    killed = 0
    for seed in range(20):
        # A new seed each time, so that there is always a folder to replace.
        began = time.monotonic()
        process = _process(tmp_path, "--dataset=mine", table, f"--seed={seed}")
        try:
            process.wait(moments.uniform(0.2, 0.95) * seconds)
            # Faster than the first, which read everything from disk.
            seconds = min(seconds, time.monotonic() - began)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
        target = tmp_path / "data/mine"
        if target.exists():
            assert folder.is_whole(target, folder.read_stats(target))
    assert killed >= 10
    process = _process(tmp_path, "--dataset=mine", table)
    assert process.wait() == 0
    process.communicate()
    assert load(tmp_path / "data/mine").stats["fingerprint"] == expected
    assert os.listdir(tmp_path / "data") == ["mine"]


def _once_read(fifo) -> int:
    """Opens the pipe for writing, as soon as somebody reads it."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO and time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_a_clear_line(tmp_path, number):
    fifo = tmp_path / "items.csv"
    os.mkfifo(fifo)  # reading the titles waits here for a writer
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    process = _process(tmp_path, "--dataset=mine", f"--table={path}", f"--items={fifo}")
    writer = _once_read(fifo)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert number.name in err
    assert err.count("\n") == 1
    assert not (tmp_path / "data").exists()
    os.close(writer)


@pytest.mark.slow
def test_two_at_once_prepare_once(tmp_path):
    table = _big_table(tmp_path)
    both = [_process(tmp_path, "--dataset=mine", table) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("up to date" in text for text in said) == [False, True]
    assert os.listdir(tmp_path / "data") == ["mine"]


def test_data_prep_never_imports_tensorflow():
    code = (
        "import sys, data_prep.prepare; "
        "sys.exit(any(m.split('.')[0] in ('tensorflow', 'hyperml_tf', 'tf_keras') "
        "for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
