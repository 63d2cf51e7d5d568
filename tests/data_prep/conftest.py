"""Runs the command in this process, and reads what it wrote."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from absl import logging

from data_prep import prepare

ARRAYS = (
    "train_user",
    "train_item",
    "valid_item",
    "test_item",
    "valid_negatives",
    "test_negatives",
)


def load(path: Path) -> SimpleNamespace:
    """A prepared folder: arrays, ids and stats as attributes."""
    prepared = {name: np.load(path / f"{name}.npy") for name in ARRAYS}
    for name in ("user_ids", "item_ids"):
        text = (path / f"{name}.txt").read_text(encoding="utf-8")
        prepared[name] = text.split("\n")[:-1]
    prepared["stats"] = json.loads((path / "stats.json").read_text(encoding="utf-8"))
    return SimpleNamespace(**prepared)


def raw_pairs(prepared: SimpleNamespace) -> list[tuple[str, str]]:
    """The training rows with their raw ids, in order."""
    return [
        (prepared.user_ids[u], prepared.item_ids[i])
        for u, i in zip(prepared.train_user, prepared.train_item, strict=True)
    ]


def held_out(prepared: SimpleNamespace) -> dict[str, tuple[str, str]]:
    """Raw user id -> raw ids of the validation and the test item."""
    return {
        prepared.user_ids[u]: (prepared.item_ids[v], prepared.item_ids[t])
        for u, (v, t) in enumerate(
            zip(prepared.valid_item, prepared.test_item, strict=True)
        )
        if v >= 0
    }


@pytest.fixture
def command(tmp_path, capsys):
    """Calls the command with data and raw folders of this test.

    Returns a function of the flags that gives `code`, `out` and `err`.
    """
    logger = logging.get_absl_logger()
    handlers, propagate = list(logger.handlers), logger.propagate
    signals = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

    def run(*flags: str) -> SimpleNamespace:
        folders = (f"--data_dir={tmp_path / 'data'}", f"--raw_dir={tmp_path / 'raw'}")
        capsys.readouterr()
        try:
            code = prepare.main([*folders, *flags])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    yield run
    logger.handlers[:], logger.propagate = handlers, propagate
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture
def write_table(tmp_path):
    """Writes text as a CSV file and returns its path."""

    def write(text: str, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture
def split_of(command, tmp_path):
    """What is held out of a table: of bytes, of Arrow's columns, or of a path."""

    def prepare(table, *flags: str, **how):
        path = tmp_path / "table"
        if isinstance(table, dict):
            pq.write_table(pa.table(table), path, **how)
        elif isinstance(table, bytes):
            path.write_bytes(table)
        else:
            path = table
        result = command("--dataset=mine", f"--table={path}", *flags)
        assert result.code == 0, result.err
        return held_out(load(tmp_path / "data/mine"))

    return prepare


@pytest.fixture
def refusal_of(command, tmp_path):
    """The one line that refuses the bytes of a table."""

    def prepare(content: bytes, *flags: str) -> str:
        path = tmp_path / "table"
        path.write_bytes(content)
        result = command("--dataset=mine", f"--table={path}", *flags)
        assert (result.code, result.err.count("\n")) == (2, 1), result.err
        assert not (tmp_path / "data").exists()
        return result.err

    return prepare
