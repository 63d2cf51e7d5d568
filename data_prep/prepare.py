"""python -m data_prep.prepare: from a publisher's files to a prepared folder.

Looks for the files in the raw folder, downloads what is missing, checks
checksums and counts, and writes `<data_dir>/<key>/` (see `folder`). What is
prepared already from the same inputs and seed is left alone.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
from absl import logging

from data_prep import acquire, command_line, folder, split, table1
from data_prep.build import build
from data_prep.errors import InputError, MissingInputError
from data_prep.parsers import table
from data_prep.sources import DATASETS, Dataset

DONE, BAD_INPUT, SKIPPED = 0, 2, 3


def main(arguments: list[str]) -> int:
    """Prepares every dataset asked for; returns the exit code."""
    options = command_line.parse(arguments)
    command_line.set_up_logging()
    pa.enable_signal_handlers(False)  # ours clear up what is half written
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    outcomes = {key: _outcome(key, options) for key in options.keys}
    if len(outcomes) > 1:
        for name, code in (("skipped", SKIPPED), ("failed", BAD_INPUT)):
            keys = [key for key, outcome in outcomes.items() if outcome == code]
            if keys:
                logging.info("%s: %s (reasons above)", name, ", ".join(keys))
    if options.statistics:
        print(table1.statistics(options.data_dir))
    codes = set(outcomes.values())
    return next((code for code in (BAD_INPUT, SKIPPED) if code in codes), DONE)


def _outcome(key: str, options: argparse.Namespace) -> int:
    try:
        logging.info("%s", prepare(key, options))
        return DONE
    except InputError as error:
        logging.error("%s: %s", key, _one_line(error))
        return BAD_INPUT
    except MissingInputError as error:
        logging.error("%s: skipped: %s", key, _one_line(error))
        return SKIPPED
    except OSError as error:  # a file that is not there, a full disk, no permission
        logging.error("%s: %s", key, _one_line(error))
        return BAD_INPUT


def _one_line(error: Exception) -> str:
    return " ".join(str(error).splitlines())


def prepare(key: str, options: argparse.Namespace) -> str:
    """Prepares one dataset and returns the line that says what became of it.

    Raises:
        InputError: wrong input; nothing was written.
        MissingInputError: the publisher's files are not there.
    """
    began = time.monotonic()
    dataset = DATASETS.get(key)
    target = options.data_dir / key
    taken: dict[str, Any] = {
        "columns": None,
        "items_columns": None,
        "rules": _rules(options),
    }
    if options.table is not None:
        columns = table.choose(options.table, _columns(options))
        logging.info("%s: %s", key, columns.described())
        taken["columns"] = {
            what: name for what, name in columns._asdict().items() if what != "rating"
        }
        source = acquire.from_table(
            options.table, _columns(options), options.rules.min_rating
        )
    else:
        assert dataset is not None  # command_line lets no other key through
        at_hand = acquire.is_at_hand(dataset, options.raw_dir)
        if not at_hand and options.items is None and _is_current(target, options):
            return f"{key}: up to date in {target}"
        source = acquire.from_publisher(
            dataset, options.raw_dir, options.mirror, options.allow_checksum_mismatch
        )
    taken["checksums"] = source.checksums
    if options.items is not None:
        title_columns = table.choose_titles(
            options.items, _title_columns(options), options.item_column
        )
        taken["items_columns"] = title_columns._asdict()
        name = f"items:{acquire.shown(options.items.name)}"
        taken["checksums"][name] = folder.sha256(options.items)
    current = _is_current(target, options, taken)
    if current and not folder.has_leftovers(target):
        return f"{key}: up to date in {target}"
    with folder.replacing(target) as new:
        # Another process may have prepared it while this one waited.
        if _is_current(target, options, taken):
            return f"{key}: up to date in {target}"
        rows = source.read()
        prepared = build(
            rows,
            options.seed,
            dataset.min_user_interactions if dataset else 0,
            dataset.paper if dataset and dataset.k_core else None,
            rules=options.rules,
        )
        titles = rows.titles
        if options.items is not None:
            titles = _titles(options.items, title_columns, prepared.item_ids)
        stats = {
            "dataset": key,
            **prepared.stats,
            "source": source.description,
            **taken,
            **_against_the_paper(dataset, prepared.stats, options),
        }
        folder.write(
            new, prepared.arrays, prepared.user_ids, prepared.item_ids, titles, stats
        )
        source.keep_checksum()
    short = stats["short_negative_lists"]
    if short:
        logging.warning(
            "%s: warning: %s of %s held-out users have fewer than %d negatives (%s "
            "items): metrics among negatives say little of them",
            key, f"{short:,}", f"{stats['held_out_users']:,}", split.NEGATIVES,
            f"{stats['items']:,}",
        )  # fmt: skip
    return _summary(stats, f"{target}, {time.monotonic() - began:.1f} s")


def _titles(
    path: Path, columns: table.TitleColumns, item_ids: list[str]
) -> dict[str, tuple[str, str]]:
    titles = table.read_titles(path, columns)
    found = sum(item in titles for item in item_ids)
    if not found:
        raise InputError(
            f"{path} has none of the {len(item_ids):,} items: its column "
            f"{columns.item!r} has {next(iter(titles))!r}, the interactions have "
            f"{item_ids[0]!r}; name the right column with --items_item_column="
        )
    logging.info(
        "%s: titles of %d of %d items; %s",
        path, found, len(item_ids), columns.described(),
    )  # fmt: skip
    return titles


def _columns(options: argparse.Namespace) -> table.Columns:
    return table.Columns(
        options.user_column or "user",
        options.item_column or "item",
        options.time_column,
        options.rating_column or ("rating" if options.min_rating is not None else ""),
    )


def _rules(options: argparse.Namespace) -> dict[str, Any] | None:
    """What the flags change of the paper's rules, for stats.json."""
    changed = options.rules.described()
    if changed and options.rules.min_rating is not None:
        changed["rating_column"] = _columns(options).rating
    return changed


def _title_columns(options: argparse.Namespace) -> table.TitleColumns:
    return table.TitleColumns(
        options.items_item_column or "",
        options.title_column or "",
        options.genres_column or "",
    )


def _is_current(
    target: Any, options: argparse.Namespace, taken: Mapping[str, Any] | None = None
) -> bool:
    """Whether `target` is whole and was made from these inputs and settings.

    Without `taken`: from the publisher's files, whatever became of them.
    """
    stats = folder.read_stats(target)
    if stats is None or stats.get("seed") != options.seed:
        return False
    if stats.get("counts_match") is False and not options.allow_count_mismatch:
        return False
    if taken is None:
        kind = stats.get("source", {}).get("kind")
        same = kind in ("publisher", "package")
    else:
        same = all(stats.get(name) == value for name, value in taken.items())
    return same and folder.is_whole(target, stats)


def _against_the_paper(
    dataset: Dataset | None, stats: Mapping[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    if dataset is None:
        return {"counts_match": None, "paper": None, "matches_paper": None}
    wrong = table1.count_errors(dataset, stats)
    if wrong:
        text = f"{', '.join(wrong)}: not the whole {dataset.key}"
        if not options.allow_count_mismatch:
            raise InputError(f"{text}; get the whole, or add --allow_count_mismatch")
        logging.warning("%s: warning: %s; accepted", dataset.key, text)
    paper = dataset.paper
    differences = table1.disagreements(paper, stats) if paper else []
    if differences and not wrong:
        logging.warning(
            "%s: warning: not as in Table 1: %s", dataset.key, ", ".join(differences)
        )
    return {
        "counts_match": not wrong if dataset.counts else None,
        "paper": paper._asdict() if paper else None,
        "matches_paper": not differences if paper else None,
        "differences": differences,
    }


def _summary(stats: Mapping[str, Any], where: str) -> str:
    dropped = dict(stats["rows_dropped"], **{"repeated": stats["duplicates_dropped"]})
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in dropped.items() if n)
    held_out = f"held out for {stats['held_out_users']:,} users"
    if "split" in stats:
        held = stats["held_out"]
        held_out = (
            f"split {stats['split']}: held out {held['valid']:,} for validation and "
            f"{held['test']:,} for the test; {stats['cold']:,} left out, as training "
            "lacks their user or item"
        )
    order = f"without time: {stats['undated']:,}"
    if stats["ordered_by"] != "time":
        order = "no times: rows count in file order"
    return (
        f"{stats['dataset']}: kept {stats['interactions']:,} interactions "
        f"(N + 2U = {stats['interactions_table1']:,}) of {stats['users']:,} users and "
        f"{stats['items']:,} items; dropped: {reasons or 'none'}; {order}; "
        f"{held_out}; in {where}"
    )


def _stop(number: int, frame: object) -> NoReturn:
    logging.error(
        "stopped by %s; no folder is left half prepared, the same command goes on",
        signal.Signals(number).name,
    )
    raise SystemExit(128 + number)


def run() -> NoReturn:
    """Runs this command with the flags of the process."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
