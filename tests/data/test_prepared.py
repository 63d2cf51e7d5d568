"""Reading a prepared folder: what it gives, and what it refuses in one clear line."""

import hashlib
import json
import pickle

import numpy as np
import pytest

from hyperml_tf.data import prepared
from hyperml_tf.data.prepared import DataError

ARRAYS = {
    "train_user": np.array([0, 0, 2, 2, 2], np.int32),
    "train_item": np.array([3, 1, 0, 2, 1], np.int32),
    "valid_item": np.array([0, -1, 3], np.int32),
    "test_item": np.array([2, -1, -1], np.int32),
    "valid_negatives": np.full((3, 100), -1, np.int32),
    "test_negatives": np.full((3, 100), -1, np.int32),
}


@pytest.fixture
def tiny_folder(tmp_path):
    """A folder `tmp_path`/tiny of three users and four items, by DESIGN §6."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name, array in ARRAYS.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "user_ids.txt").write_text("ann\nbob\ncéline\n", encoding="utf-8")
    (folder / "item_ids.txt").write_text("w\nx\ny\nz\n", encoding="utf-8")
    (folder / "items.csv").write_text(
        'item,title,genres\nw,"A, B",a|b\nx,,\ny,NA,\nz,d,\n'
    )
    write_stats(folder)
    return folder


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_stats(folder, **changes):
    arrays = {
        f"{name}.npy": {
            "shape": list(array.shape),
            "sha256": checksum(folder / f"{name}.npy"),
        }
        for name, array in ARRAYS.items()
    }
    files = {p.name: checksum(p) for p in folder.iterdir() if p.suffix != ".npy"}
    stats = {"format_version": 1, "users": 3, "items": 4, "fingerprint": "abc"}
    stats |= {"arrays": arrays, "files": files} | changes
    (folder / "stats.json").write_text(json.dumps(stats))


def refusal(folder):
    """The one line with which `load` refuses."""
    with pytest.raises(DataError) as caught:
        prepared.load("tiny", folder.parent)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message  # where
    remedy = f"python -m data_prep.prepare --dataset=tiny --data_dir={folder.parent}"
    assert remedy in message
    return message


def test_a_prepared_folder_is_read_as_it_was_written(tiny_folder):
    tiny = prepared.load("tiny", tiny_folder.parent)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(getattr(tiny, name), array)
        assert isinstance(getattr(tiny, name), np.memmap)
    assert (tiny.num_users, tiny.num_items, tiny.fingerprint) == (3, 4, "abc")
    assert tiny.user_ids == ["ann", "bob", "céline"]
    assert tiny.item_ids == ["w", "x", "y", "z"]
    np.testing.assert_array_equal(tiny.row_splits, [0, 2, 2, 5])


def test_titles_are_text_even_where_pandas_would_see_a_missing_value(tiny_folder):
    items = prepared.load("tiny", tiny_folder.parent).items
    assert items["title"].tolist() == ["A, B", "", "NA", "d"]
    assert items["genres"].tolist() == ["a|b", "", "", ""]


def test_a_folder_without_titles_has_none(tiny_folder):
    (tiny_folder / "items.csv").unlink()
    write_stats(tiny_folder)
    assert prepared.load("tiny", tiny_folder.parent).items is None


def test_a_missing_folder_is_refused(tmp_path):
    assert "no prepared dataset" in refusal(tmp_path / "tiny")


def test_a_half_written_folder_is_refused(tiny_folder):
    (tiny_folder / "stats.json").unlink()
    assert "no prepared dataset" in refusal(tiny_folder)


@pytest.mark.parametrize(
    "text",
    ["", "{", "\x00\x01", "[]", '{"format_version": 1', '{"format_version": 1}'],
)
def test_damaged_stats_are_refused(tiny_folder, text):
    (tiny_folder / "stats.json").write_text(text)
    assert "damaged" in refusal(tiny_folder)


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_another_format_version_is_refused(tiny_folder, version):
    write_stats(tiny_folder, format_version=version)
    assert f"has format version {version}, this program reads 1" in refusal(tiny_folder)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_missing_or_truncated_array_is_refused(tiny_folder, name):
    path = tiny_folder / f"{name}.npy"
    whole = path.read_bytes()
    for damaged in (b"", whole[:5], whole[:-4], b"x" * len(whole)):
        path.write_bytes(damaged)
        assert f"cannot read {path}" in refusal(tiny_folder)
    path.unlink()
    assert f"cannot read {path}" in refusal(tiny_folder)


@pytest.mark.parametrize(
    "array",
    [np.zeros(4, np.int32), np.zeros(5, np.int64), np.zeros(5), np.zeros((5, 1), "i4")],
)
def test_an_array_that_is_not_what_the_stats_say_is_refused(tiny_folder, array):
    np.save(tiny_folder / "train_item.npy", array)
    assert "stats.json says int32(5,)" in refusal(tiny_folder)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_bit_that_turned_is_seen(tiny_folder, name):
    path = tiny_folder / f"{name}.npy"
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert f"{path} is damaged: its SHA-256" in refusal(tiny_folder)


class _Payload:
    def __reduce__(self):
        return pytest.fail, ("the pickle was executed",)


@pytest.mark.parametrize("as_npy", [True, False])
def test_a_pickle_is_refused_and_not_executed(tiny_folder, as_npy):
    path = tiny_folder / "train_item.npy"
    if as_npy:
        np.save(path, np.array([_Payload()] * 5), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(_Payload()))
    write_stats(tiny_folder)  # its checksum is right
    assert f"cannot read {path}" in refusal(tiny_folder)


def read_texts(folder):
    tiny = prepared.load("tiny", folder.parent)
    return tiny.user_ids, tiny.item_ids, tiny.items


@pytest.mark.parametrize("name", ["user_ids.txt", "item_ids.txt", "items.csv"])
def test_ids_and_titles_that_are_not_those_prepared_are_refused(tiny_folder, name):
    path = tiny_folder / name
    path.write_bytes(path.read_bytes().replace(b"w", b"v").replace(b"b", b"v"))
    with pytest.raises(DataError, match=f"{path} is damaged.* run: python"):
        read_texts(tiny_folder)
    path.unlink()
    with pytest.raises(DataError, match=f"cannot read {path}.* run: python"):
        read_texts(tiny_folder)


def test_a_list_of_ids_of_the_wrong_length_is_refused(tiny_folder):
    (tiny_folder / "user_ids.txt").write_text("ann\nbob\n")
    write_stats(tiny_folder)
    with pytest.raises(DataError, match=r"user_ids.txt has 2 lines, expected 3"):
        read_texts(tiny_folder)


def test_titles_of_another_number_of_items_are_refused(tiny_folder):
    (tiny_folder / "items.csv").write_text("item,title,genres\nw,a,b\n")
    write_stats(tiny_folder)
    with pytest.raises(DataError, match=r"items.csv has 1 rows, stats.json says 4"):
        read_texts(tiny_folder)
