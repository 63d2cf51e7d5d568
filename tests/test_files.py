"""Files are whole or absent, and a lock ends with its holder."""

import os
import subprocess
import sys

import pytest

from hyperml_tf import files


def test_a_replaced_file_is_utf_8_and_as_readable_as_the_umask_allows(tmp_path):
    path = tmp_path / "name"
    path.write_text("before")
    before = os.umask(0o022)
    try:
        files.write_atomically(path, "γ é\n")
    finally:
        os.umask(before)
    assert path.read_bytes() == "γ é\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("replacing", [files.replacing, files.replacing_path])
def test_what_was_there_stays_when_the_writer_fails(replacing, tmp_path):
    path = tmp_path / "name"
    path.write_text("before")
    with pytest.raises(OSError, match="full") as caught, replacing(path):
        raise OSError(28, "full")
    assert caught.value.filename == str(path)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "deep" / "folder"
    for name in ("old", "new"):
        with files.replacing_folder(folder) as fresh:
            fresh.mkdir()
            (fresh / name).touch()
    with pytest.raises(ValueError), files.replacing_folder(folder) as fresh:
        fresh.mkdir()
        raise ValueError
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(folder.parent.iterdir()) == [folder]


def test_only_what_writers_left_half_written_is_removed(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("name", ".hidden", ".name.123", "below/.name.9"):
        (tmp_path / name).touch()
    files.remove_half_written(tmp_path)
    left = {path.name for path in tmp_path.rglob("*")}
    assert left == {"below", "name", ".hidden"}


def test_a_lock_is_held_by_one_and_ends_with_its_process(tmp_path):
    path = tmp_path / "lock"
    assert not files.is_locked(path)
    program = (
        "import pathlib, sys; from hyperml_tf import files\n"
        "with files.locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"held\n"
    assert files.is_locked(path) and files.try_to_lock(path) is None
    holder.kill()
    holder.wait()
    held = files.try_to_lock(path)
    assert files.is_locked(path)
    held.close()
    assert not files.is_locked(path)
