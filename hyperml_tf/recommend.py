"""Prints an exported model's recommendations for one user, or for a file of users.

python -m hyperml_tf.recommend --model=export/games --user=A3IOUBNGKIQDH6 --k=10
python -m hyperml_tf.recommend --model=export/games --history=new.csv
"""

import os

from absl import flags

from hyperml_tf import command_line
from hyperml_tf.errors import InputError

_MODEL = flags.DEFINE_string(
    "model", None, "This folder was written by hyperml_tf.export."
)
_USER = flags.DEFINE_string("user", None, "The user with this raw id is served.")
_USERS = flags.DEFINE_string(
    "users", None, "The users in this file, one raw id per line, are served."
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


def main() -> None:
    """Prints one table per user."""
    if not _MODEL.value:
        raise InputError("--model=FOLDER is missing, e.g. --model=export/games")
    from hyperml_tf.serving.exported import (
        Asked,
        Exported,
        read_histories,
        read_ids,
    )

    one, file, history = _USER.value, _USERS.value, _HISTORY.value
    if sum(given is not None for given in (one, file, history)) != 1:
        raise InputError("give one of --user=RAW_ID, --users=FILE and --history=FILE")
    users: Asked = []
    if one is not None:
        # In UTF-8, whatever the locale: the bytes are those that were typed.
        users = [os.fsencode(one).decode("utf-8", "surrogateescape")]
    elif file is not None:
        users = read_ids(file)
    elif history is not None:
        users = read_histories(history, _USER_COLUMN.value, _ITEM_COLUMN.value)
    for table in Exported(_MODEL.value).tables(users, _K.value, _EXCLUDE_SEEN.value):
        print(table, end="\n\n")


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
