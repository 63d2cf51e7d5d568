"""Flags of `python -m data_prep.prepare`, and where its messages go.

Results and progress go to stdout, warnings and errors to stderr, one a line.
"""

from __future__ import annotations

import argparse
import functools
import io
import logging as standard_logging
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from absl import logging

from data_prep.errors import InputError
from data_prep.rules import KEEP, LEAVE_ONE_OUT, TIES, Rules, parse_split
from data_prep.sources import DATASETS, PAPER_KEYS

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

_EXAMPLES = f"""\
datasets: {" ".join(DATASETS)}
examples:
  python -m data_prep.prepare --dataset=ml100k
  python -m data_prep.prepare --dataset=all --raw_dir=raw
  python -m data_prep.prepare --dataset=mine --table=clicks.parquet \\
      --user_column=uid --item_column=sku --time_column=at --items=products.csv
exit codes: 0 done, 2 bad usage or input, 3 datasets skipped for want of files"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Reads the flags; bad usage ends the process with 2 and one line.

    Returns:
        The flags, with `keys`: the datasets to prepare.
    """
    parser = _Parser(
        prog="data_prep.prepare",
        usage="%(prog)s --dataset=KEY[,KEY] [FLAGS]",
        description="Turns a publisher's files, or any table of interactions, into "
        "a prepared folder DATA_DIR/KEY/.",
        epilog=_EXAMPLES,
        formatter_class=functools.partial(
            argparse.RawDescriptionHelpFormatter, max_help_position=26, width=99
        ),
        allow_abbrev=False,
    )
    flag = parser.add_argument
    flag(
        "--dataset",
        metavar="KEY[,KEY]",
        help="the datasets to prepare, or `all` for the paper's ten",
    )
    flag(
        "--data_dir",
        metavar="DIR",
        type=Path,
        default=Path("data"),
        help="the prepared datasets are written into this folder [data]",
    )
    flag(
        "--raw_dir",
        metavar="DIR",
        type=Path,
        default=Path("raw"),
        help="the publishers' files are looked for in this folder, and downloads are "
        "put into it [raw]",
    )
    flag(
        "--table",
        metavar="FILE",
        type=Path,
        help="the interactions are read from this CSV, CSV.GZ or Parquet file; KEY may "
        "then be a new name",
    )
    flag(
        "--user_column",
        metavar="NAME",
        type=_utf8,
        help="this column of the table has the users [user]",
    )
    flag(
        "--item_column",
        metavar="NAME",
        type=_utf8,
        help="this column of the table has the items [item]",
    )
    flag(
        "--time_column",
        metavar="NAME",
        type=_utf8,
        help="this column of the table has the times [timestamp, else position]; "
        "`none` says that the rows are in time order",
    )
    flag(
        "--items",
        metavar="FILE",
        type=Path,
        help="this table has titles and genres (A|B|C) of the items",
    )
    for name, what, default in (
        ("items_item", "items", "--item_column, else item"),
        ("title", "titles", "title, if it is there"),
        ("genres", "genres", "genres, if it is there"),
    ):
        help = f"this column of the table of items has the {what} [{default}]"
        flag(f"--{name}_column", metavar="NAME", type=_utf8, help=help)
    flag(
        "--rating_column",
        metavar="NAME",
        type=_utf8,
        help="this column of the table has the ratings that --min_rating asks for "
        "[rating]",
    )
    flag(
        "--min_rating",
        metavar="X",
        type=float,
        help="rows of the table with a lower rating, or without one, are left out",
    )
    for side, other in (("user", "items"), ("item", "users")):
        flag(
            f"--min_{side}",
            metavar="N",
            type=int,
            default=0,
            help=f"{side}s of the table with fewer than N {other} are left out, until "
            "none is left (k-core) [0]",
        )
    flag(
        "--keep",
        choices=KEEP,
        default="first",
        help="this one of the rows of a repeated pair of user and item stays [first]",
    )
    flag(
        "--ties",
        choices=TIES,
        default="file",
        help="rows of a user with the same time are ordered as in the file, or at "
        "random by --seed [file]",
    )
    flag(
        "--split",
        metavar="SPLIT",
        default=LEAVE_ONE_OUT,
        help="leave_one_out holds each user's last two items out; time:SHARE holds the "
        "latest share of all interactions out for the test, and the share before it "
        "for validation; user:SHARE holds out that share of the users for each "
        "[leave_one_out]",
    )
    flag(
        "--mirror",
        metavar="URL",
        help="files are downloaded from this URL instead of the publisher's",
    )
    flag(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="the evaluation negatives, and --ties=random, are drawn with this seed "
        "[0]",
    )
    flag(
        "--allow_count_mismatch",
        action="store_true",
        help="counts may differ from the publisher's",
    )
    flag(
        "--allow_checksum_mismatch",
        action="store_true",
        help="a file may have another SHA-256 than the publisher's",
    )
    flag(
        "--statistics",
        action="store_true",
        help="Table 1 is printed, the counts of what is prepared beside the paper's",
    )
    options = parser.parse_args(arguments)
    options.keys = _keys(options.dataset)
    try:
        options.rules = Rules(
            options.keep,
            options.min_user,
            options.min_item,
            options.min_rating,
            *parse_split(options.split),
            options.ties,
        )
    except InputError as error:
        parser.error(str(error))
    problem = _problem(options)
    if problem:
        parser.error(problem)
    return options


def _utf8(name: str) -> str:
    """A column's name as typed, whatever the locale."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _keys(dataset: str | None) -> list[str]:
    named = [key.strip() for key in (dataset or "").split(",")]
    keys = [k for key in named for k in (PAPER_KEYS if key == "all" else [key]) if k]
    return list(dict.fromkeys(keys))


def _problem(options: argparse.Namespace) -> str | None:
    if not options.keys and not options.statistics:
        return "--dataset=KEY is missing"
    for key in options.keys:
        if not _KEY.match(key):
            return f"--dataset={key!r}: a name has 1 to 64 letters, digits, _ or -"
        if key not in DATASETS and options.table is None:
            return (
                f"--dataset={key}: none of {', '.join(DATASETS)}; for data of your "
                "own add --table=FILE"
            )
    one_only = options.table is not None or options.items is not None
    if one_only and len(options.keys) != 1:
        return "--table and --items go with exactly one --dataset"
    if options.table is None:
        for name in ("user_column", "item_column", "time_column", "rating_column"):
            if getattr(options, name) is not None:
                return f"--{name} goes with --table=FILE"
        if options.rules != Rules():
            return (
                "--min_user, --min_item, --min_rating, --keep, --ties and --split go "
                "with --table=FILE; the paper's datasets have the paper's rules"
            )
    if options.rating_column is not None and options.min_rating is None:
        return "--rating_column goes with --min_rating=X"
    if options.min_user < 0 or options.min_item < 0:
        return "--min_user and --min_item are 0 or more"
    if options.items is None:
        for name in ("items_item_column", "title_column", "genres_column"):
            if getattr(options, name) is not None:
                return f"--{name} goes with --items=FILE"
    if options.seed < 0:
        return f"--seed={options.seed}: a seed is 0 or more"
    if options.mirror and not re.match(r"https?://[^/]", options.mirror):
        return f"--mirror={options.mirror}: an http:// or https:// address is needed"
    return None


def set_up_logging() -> None:
    """Plain lines: up to INFO on stdout, warnings and errors on stderr."""
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    logger = logging.get_absl_logger()
    logger.propagate = False
    logger.handlers.clear()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that it cannot show
            stream.reconfigure(errors="backslashreplace")
    for stream, wanted in ((sys.stdout, _is_info), (sys.stderr, _is_problem)):
        handler = standard_logging.StreamHandler(stream)
        handler.addFilter(wanted)
        logger.addHandler(handler)


def _is_info(record: standard_logging.LogRecord) -> bool:
    return record.levelno < standard_logging.WARNING


def _is_problem(record: standard_logging.LogRecord) -> bool:
    return record.levelno >= standard_logging.WARNING
