"""Archives made to do harm are refused, and nothing is unpacked anywhere."""

import gzip
import stat
import zipfile

import pytest

from data_prep.archives import (
    FREE_BYTES,
    FolderInputs,
    ZipInputs,
    open_plain_or_gzip,
)
from data_prep.errors import InputError
from tests.data_prep import publishers
from tests.data_prep.test_formats import numbered

RATINGS = b"\n".join(numbered("::"))


def _with_member(path, name, content=b"x", mode=None):
    publishers.zip_of(path, {"ml-1m/ratings.dat": RATINGS})
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    if mode is not None:
        info.external_attr = mode << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, content)
    return path


HOSTILE = {
    "parent path": dict(name="../../evil", content=b"x"),
    "parent path inside": dict(name="ml-1m/../../evil"),
    "absolute path": dict(name="/tmp/evil"),
    "backslashes": dict(name="..\\evil"),
    "drive": dict(name="C:\\evil"),
    "link": dict(name="ml-1m/link", content=b"/etc/passwd", mode=stat.S_IFLNK | 0o777),
    "device": dict(name="ml-1m/dev", mode=stat.S_IFCHR | 0o666),
    "bomb beside": dict(name="ml-1m/zeros", content=bytes(FREE_BYTES + 1)),
    "bomb inside": dict(name="ml-1m/movies.dat", content=bytes(FREE_BYTES + 1)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_zip_is_refused_in_one_line(command, tmp_path, case):
    raw = tmp_path / "raw"
    _with_member(raw / "ml-1m.zip", **HOSTILE[case])
    flags = ("--allow_count_mismatch", "--allow_checksum_mismatch")
    result = command("--dataset=ml1m", *flags)
    assert result.code == 2
    lines = [line for line in result.err.splitlines() if "accepted" not in line]
    assert len(lines) == 1
    assert "delete it" in lines[0]
    assert not (tmp_path / "data").exists()
    assert [path.name for path in raw.iterdir()] == ["ml-1m.zip"]
    assert not list(tmp_path.rglob("evil"))


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path):
    path = publishers.zip_of(tmp_path / "a.zip", {"ratings.dat": bytes(FREE_BYTES + 1)})
    content = path.read_bytes()
    honest = (FREE_BYTES + 1).to_bytes(4, "little")
    assert content.count(honest) == 2  # in the local header and the directory
    path.write_bytes(content.replace(honest, (1000).to_bytes(4, "little")))
    inputs = ZipInputs(path)
    with pytest.raises(InputError), inputs.open("ratings.dat") as stream:
        while stream.read(1 << 20):
            pass


def test_a_gzip_bomb_is_stopped_while_it_is_read(command, tmp_path):
    bomb = gzip.compress(bytes(FREE_BYTES * 4), 9)
    path = tmp_path / "raw/reviews_Automotive_5.json.gz"
    path.parent.mkdir()
    path.write_bytes(bomb)
    result = command("--dataset=automotive")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "200 times" in result.err
    read = 0
    with pytest.raises(InputError), open_plain_or_gzip(path) as stream:
        while block := stream.read(1 << 16):
            read += len(block)
    assert read <= FREE_BYTES


def test_a_table_that_is_a_gzip_bomb_is_refused(command, tmp_path):
    line = b"1,1\n" * (1 << 20)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"user,item\n" + line * 16, 9))
    result = command("--dataset=mine", f"--table={path}")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "200 times" in result.err


def test_an_endless_line_is_refused(command, tmp_path, monkeypatch):
    monkeypatch.setattr("data_prep.parsers.blocks._LONGEST_LINE", 1 << 20)
    monkeypatch.setattr("data_prep.parsers.blocks._BLOCK_BYTES", 1 << 18)
    path = tmp_path / "raw/reviews_Automotive_5.json"
    path.parent.mkdir()
    path.write_bytes(b'{"reviewerID": "' + b"a" * (3 << 20))
    result = command("--dataset=automotive")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "a line longer than" in result.err


@pytest.mark.parametrize(
    "content", [b"no zip at all", b"", b"PK\x03\x04" + b"junk" * 50], ids=repr
)
def test_what_is_no_zip_is_refused(command, tmp_path, content):
    path = tmp_path / "raw/goodbooks-10k.zip"
    path.parent.mkdir()
    path.write_bytes(content)
    result = command("--dataset=goodbooks", "--allow_checksum_mismatch")
    assert result.code == 2
    assert "damaged" in result.err.splitlines()[-1]


def test_damaged_encrypted_and_incomplete_zips_are_refused(command, tmp_path):
    flags = ("--allow_count_mismatch", "--allow_checksum_mismatch")
    path = tmp_path / "raw/ml-1m.zip"
    publishers.zip_of(path, {"ml-1m/ratings.dat": RATINGS * 50})
    good = path.read_bytes()

    path.write_bytes(good[:60] + bytes([good[60] ^ 255]) + good[61:])
    assert "damaged" in command("--dataset=ml1m", *flags).err

    encrypted = bytearray(good)
    encrypted[6] |= 1
    encrypted[good.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(encrypted)
    assert "encrypted" in command("--dataset=ml1m", *flags).err

    publishers.zip_of(path, {"ml-1m/movies.dat": b"1::x::y\n"})
    assert "no ratings.dat inside" in command("--dataset=ml1m", *flags).err
    assert not (tmp_path / "data").exists()


def test_honest_data_expands_freely(tmp_path):
    content = b"user,item,timestamp\n" + b"".join(
        b"%d,%d,%d\n" % (n // 50, n % 977, 1_300_000_000 + n) for n in range(900_000)
    )
    assert len(content) > FREE_BYTES
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(content, 1))
    with open_plain_or_gzip(path) as stream:
        assert stream.read() == content


def test_beside_an_unpacked_copy_the_publishers_file_is_read_and_recorded(tmp_path):
    (tmp_path / "a.json").write_text("unpacked")
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"packed"))
    inputs = FolderInputs(tmp_path, ("a.json", "b.json"))
    with inputs.open("a.json") as file:
        assert file.read() == b"packed"
    assert list(inputs.files()) == ["a.json.gz"]
