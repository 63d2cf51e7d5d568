"""The file of users that `recommend` reads, as editors and tools write it."""

import gzip

import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.serving import raw_ids


@pytest.mark.parametrize(
    "content",
    [
        b"405\n7\n",
        b"405\r\n7",
        b"405\r7\r",
        b"\n405\n\n7\n\n",
        b"\xef\xbb\xbf405\n7\n",
        b"\xef\xbb\xbf405\r\n\xef\xbb\xbf7\r\n",
    ],
)
def test_line_ends_and_byte_order_marks_are_no_part_of_an_id(tmp_path, content):
    path = tmp_path / "users.txt"
    path.write_bytes(content)
    assert raw_ids.read(str(path), "users") == ["405", "7"]


@pytest.mark.parametrize(
    "content",
    [
        "405\n".encode("utf-16"),
        "é\n".encode("latin-1"),
        gzip.compress(b"405\n", mtime=0),
        b"\xef\xbb\xbf\n",
    ],
)
def test_what_is_no_list_in_utf_8_is_refused(tmp_path, content):
    path = tmp_path / "users.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=str(path)):
        raw_ids.read(str(path), "users")
