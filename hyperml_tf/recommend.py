r"""Writes an exported model's recommendations, or prints them.

python -m hyperml_tf.recommend --model=export/games --user=A3IOUBNGKIQDH6 --k=10
python -m hyperml_tf.recommend --model=export/games --history=new.csv
python -m hyperml_tf.recommend --model=export/games --users=all --k=100 \
    --output=games.parquet
"""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING

from absl import flags, logging

from hyperml_tf import command_line, files
from hyperml_tf.errors import InputError
from hyperml_tf.progress import Progress, duration

if TYPE_CHECKING:  # else --help would load TensorFlow
    import pandas as pd

    from hyperml_tf.serving.exported import Asked, Exported, Lists

_MODEL = flags.DEFINE_string(
    "model", None, "This folder was written by hyperml_tf.export."
)
_USER = flags.DEFINE_string("user", None, "The user with this raw id is served.")
_USERS = flags.DEFINE_string(
    "users", None, "The users in this file, one raw id per line, are served; all: all."
)
_ITEM = flags.DEFINE_string(
    "item", None, "The items most similar to the one with this raw id are given."
)
_HISTORY = flags.DEFINE_string(
    "history",
    None,
    "New users are served by what they touched: a CSV or Parquet file with a row for "
    "each user and item, or any other file with one user's items, one per line.",
)
_USER_COLUMN = flags.DEFINE_string(
    "user_column", "user", "In --history, this column has the users."
)
_ITEM_COLUMN = flags.DEFINE_string(
    "item_column", "item", "In --history, this column has the items."
)
_K = flags.DEFINE_integer("k", 10, "Each user gets this many items.", 1, 2**31 - 1)
_EXCLUDE_SEEN = flags.DEFINE_bool(
    "exclude_seen", True, "Items that the user is known to have touched are left out."
)
_EXCLUDE_ITEMS = flags.DEFINE_string(
    "exclude_items", None, "The items in this file, one raw id a line, are left out."
)
_ALLOWED_ITEMS = flags.DEFINE_string(
    "allowed_items", None, "No items but those in this file are recommended."
)
_FORMAT = flags.DEFINE_enum(
    "format",
    None,
    ("table", "csv", "json", "parquet"),
    "The answer has this format; by default that of --output's ending, else a table.",
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "The answer is written to this file, and not printed."
)


def main() -> None:
    """Answers in the format that is asked for."""
    if not _MODEL.value:
        raise InputError("--model=FOLDER is missing, e.g. --model=export/games")
    if sum(f.value is not None for f in (_USER, _USERS, _HISTORY, _ITEM)) != 1:
        raise InputError(
            "give one of --user=RAW_ID, --users=FILE, --history=FILE and --item=RAW_ID"
        )
    format = _format()
    from hyperml_tf.serving import exported, raw_ids

    one, path, history = _USER.value, _USERS.value, _HISTORY.value
    users: Asked = [] if one is None else [_typed(one)]
    if history is not None:
        users = exported.read_histories(history, _USER_COLUMN.value, _ITEM_COLUMN.value)
    if path is not None and path != "all":
        users = raw_ids.read(path, "users")
    lists = _lists()
    model = exported.Exported(_MODEL.value)
    if path == "all":
        users = model.users
    with _opened() as file:
        if format == "table":
            _write_tables(model, users, lists, file)
        else:
            from hyperml_tf.serving import answer_files

            answer_files.write(_frames(model, users, lists), format, file)


def _format() -> str:
    """What --format says, or else the ending of --output."""
    ending = pathlib.Path(_OUTPUT.value or "").suffix.removeprefix(".")
    by_ending = ending if ending in ("csv", "json", "parquet") else "table"
    format = _FORMAT.value or by_ending
    if format == "parquet" and not _OUTPUT.value:
        raise InputError("--format=parquet is not for a terminal; give --output=FILE")
    if _OUTPUT.value and pathlib.Path(_OUTPUT.value).is_dir():
        raise InputError(f"--output={_OUTPUT.value} is a folder; name a file in it")
    return format


def _typed(raw: str) -> str:
    """An id in UTF-8, whatever the locale; bytes that are none are escaped."""
    return os.fsencode(raw).decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def _opened() -> Iterator[IO[bytes]]:
    """Where the answer goes: --output, whole or not at all, or the terminal."""
    if not _OUTPUT.value:
        yield sys.stdout.buffer
        return
    output = pathlib.Path(_OUTPUT.value)
    output.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(output) as file:
        yield file


def _lists() -> "Lists | None":
    """What --exclude_items and --allowed_items list, if any."""
    from hyperml_tf.serving import raw_ids
    from hyperml_tf.serving.exported import Lists

    listed = {
        flag.name: raw_ids.read(flag.value, flag.name)
        for flag in (_EXCLUDE_ITEMS, _ALLOWED_ITEMS)
        if flag.value is not None
    }
    if listed and _ITEM.value is not None:
        raise InputError(f"--{next(iter(listed))} is for users; leave it out of --item")
    return Lists(**listed) if listed else None


def _write_tables(
    model: "Exported", users: "Asked", lists: "Lists | None", file: IO[bytes]
) -> None:
    if _ITEM.value is not None:
        tables: Iterable[str] = [model.similar_table(_typed(_ITEM.value), _K.value)]
    else:
        tables = model.tables(users, _K.value, _EXCLUDE_SEEN.value, lists)
    for table in tables:
        if _OUTPUT.value:
            file.write(f"{table}\n\n".encode())
        else:  # what the terminal cannot show is escaped
            print(table, end="\n\n")


def _frames(
    model: "Exported", users: "Asked", lists: "Lists | None"
) -> Iterator["pd.DataFrame"]:
    """Parts of the answer; lines of progress go beside a file, not into a pipe."""
    if _ITEM.value is not None:
        yield model.similar([_typed(_ITEM.value)], _K.value)
        return
    progress, done, rows = Progress(), 0, 0
    for block, frame in model.frames(users, _K.value, _EXCLUDE_SEEN.value, lists):
        yield frame
        done, rows = done + len(block), rows + len(frame)
        if _OUTPUT.value and progress.is_due:
            rate = progress.rate(done)
            words = [f"{done:,} of {len(users):,} users", f"{rate:,.0f} users/s"]
            progress.log(words, (len(users) - done) / rate)
    if _OUTPUT.value:
        spent = duration(progress.seconds)
        logging.info("%s: %s users, %s rows, %s", _OUTPUT.value, done, rows, spent)


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
