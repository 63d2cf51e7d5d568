"""Users and items by the ids that people use: read, checked, and as bytes."""

import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hyperml_tf.errors import InputError


def of(given: Iterable[object], name: str) -> list[str]:
    """Ids as text, as `Interactions.from_dataframe` has them.

    Args:
        given: integers or text.
        name: what they are, in messages.

    Raises:
        InputError: it is no list, or an id is missing.
    """
    if isinstance(given, str | bytes | pd.DataFrame):
        one = name.removesuffix("s").split("_")[-1]
        raise InputError(
            f"{name} must be a list of raw ids, got a {type(given).__name__}; for one "
            f"{one} give a list of one"
        )
    ids = []
    for raw in given:
        if isinstance(raw, bytes):
            raw = raw.decode("utf-8", "surrogateescape")
        if raw is None or raw != raw:  # NaN is not itself
            raise InputError(f"{name}: a raw id is missing (None or NaN); leave it out")
        if isinstance(raw, float | np.floating) and raw == int(raw):
            raw = int(raw)
        ids.append(str(raw))
    return ids


def read(path: str, flag: str) -> list[str]:
    """Raw ids from a file, one a line; empty lines and byte order marks do not count.

    Args:
        path: the file.
        flag: that which named it, for messages.

    Raises:
        InputError: no such file, not text, or no id in it.
    """
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read --{flag}={path} ({error}); give a text file, one id a line"
        ) from None
    # Windows begins a file with the mark, and `cat` puts it between two.
    ids = [raw for line in lines if (raw := line.removeprefix("\ufeff"))]
    if not ids:
        raise InputError(f"--{flag}={path} names nothing; give one raw id a line")
    return ids


def encoded(ids: Sequence[str]) -> list[bytes]:
    """Bytes; those of the command line need not be UTF-8, and are then unknown."""
    return [raw.encode("utf-8", "surrogateescape") for raw in ids]
