"""Archives of full size for the four datasets that cannot be had here.

python -m tests.data_prep.imitations ml20m,goodbooks,yelp,automotive FOLDER

They have the format and the counts of the publishers' files, and a long tail of users
and of items; who has what is random. So they show whether the whole path goes through
and what it costs, and nothing about accuracy.
"""

import gzip
import json
import pathlib
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from pyarrow import csv as arrow_csv
from pyarrow import table as arrow_table

_DAY = 86_400
_FIRST, _LAST = 1_000_000_000, 1_400_000_000  # Unix seconds, 2001 to 2014


def long_tailed(
    users: int,
    items: int,
    count: int,
    rng: np.random.Generator,
    least: int = 1,
    least_users: int = 1,
    most: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`count` different pairs of a user and an item, in which everyone has a part.

    Args:
        users: rows 0 to U - 1.
        items: rows 0 to I - 1.
        count: number of pairs, at least U times `least`.
        rng: what draws them.
        least: items that a user has at least; and
        least_users: users that an item has, nearly always.
        most: items that a user has at most; None: half of all.

    Returns:
        int64 [count] each, in random order.
    """
    most = most or items // 2
    share = rng.lognormal(0, 1.2, users)
    each = np.full(users, least)
    while (left := count - each.sum()) > 0:
        open_ = each < most
        drawn = rng.multinomial(left, share * open_ / share[open_].sum())
        each = np.minimum(each + drawn, most)
    user = rng.permutation(np.repeat(np.arange(users), each))
    rank = rng.permutation(items)
    weight = np.cumsum(1 / np.arange(1, items + 1) ** 0.8)

    def popular(size: int) -> np.ndarray:
        drawn = np.searchsorted(weight, rng.random(size) * weight[-1])
        return rank[np.minimum(drawn, items - 1)]

    item = popular(count)
    covered = np.tile(np.arange(items), least_users)
    item[: len(covered)] = covered
    draw: Callable[[int], np.ndarray] = popular
    for attempt in range(1000):
        order = np.argsort(user * items + item, kind="stable")
        pair = (user * items + item)[order]
        again = order[1:][pair[1:] == pair[:-1]]
        if not len(again):
            return user, item
        if attempt == 20:  # who has the head by now takes from the tail
            draw = lambda size: rng.integers(items, size=size)  # noqa: E731
        item[again] = draw(len(again))
    raise AssertionError("pairs stay repeated")


def write_ml20m(folder: pathlib.Path) -> pathlib.Path:
    """20,000,263 ratings by 138,493 users, of whom 53,000 have 100 and more."""
    rng = np.random.default_rng(20)
    busy, all_users, items = 53_000, 138_493, 26_744
    first = long_tailed(busy, items, 15_900_000, rng, 100)
    second = long_tailed(
        all_users - busy, items, 20_000_263 - len(first[0]), rng, 20, most=99
    )
    user = np.concatenate([first[0], second[0] + busy])
    item = np.concatenate([first[1], second[1]])
    user = rng.permutation(all_users)[user] + 1
    order = np.lexsort((item, user))
    columns = {
        "userId": user[order],
        "movieId": item[order] * 4 + 1,
        "rating": rng.integers(1, 11, len(user)) / 2,
        "timestamp": rng.integers(_FIRST, _LAST, len(user)),
    }
    path = folder / "ml-20m"
    path.mkdir(parents=True)
    plain = arrow_csv.WriteOptions(quoting_style="none")
    arrow_csv.write_csv(arrow_table(columns), path / "ratings.csv", plain)
    films = pd.DataFrame({"movieId": np.arange(items) * 4 + 1})
    films["title"] = [f"Film {n} (1999)" for n in range(items)]
    films["genres"] = "Drama|Comedy"
    films.to_csv(path / "movies.csv", index=False)
    return path


def write_goodbooks(folder: pathlib.Path) -> pathlib.Path:
    """5,976,479 ratings of 10,000 books by 53,424 users, in order of time."""
    rng = np.random.default_rng(10)
    user, item = long_tailed(53_424, 10_000, 5_976_479, rng, 19)
    path = folder / "goodbooks-10k"
    path.mkdir(parents=True)
    ratings = pd.DataFrame({"user_id": user + 1, "book_id": item + 1, "rating": 4})
    ratings.to_csv(path / "ratings.csv", index=False)
    books = pd.DataFrame({"book_id": np.arange(1, 10_001)})
    books["title"] = [f"Book {n}" for n in range(10_000)]
    books.to_csv(path / "books.csv", index=False)
    return path


def write_yelp(folder: pathlib.Path) -> pathlib.Path:
    """5,261,668 reviews, as in 2018; their k-core has what the paper prints.

    The others are of users with less than ten reviews, of other businesses.
    """
    rng = np.random.default_rng(18)
    users, items = 22_000, 18_000
    core = long_tailed(users, items, 956_000, rng, 12, 12)
    rest = long_tailed(1_304_101, 156_567, 5_261_668 - 956_000, rng, most=9)
    user = np.concatenate([core[0], rest[0] + users])
    item = np.concatenate([core[1], rest[1] + items])
    order = rng.permutation(len(user))
    words = np.array([f"w{n:x}" for n in rng.integers(0, 1 << 24, 5000)])
    texts = [" ".join(rng.choice(words, 85)) for _ in range(2000)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "yelp_academic_dataset_review.json"
    with open(path, "w", encoding="utf-8") as stream:
        for rows in np.array_split(order, 60):
            days = rng.integers(0, 5000, len(rows)).astype("datetime64[D]") + 12_500
            columns = user[rows].tolist(), item[rows].tolist(), days.astype(str)
            stream.writelines(
                f'{{"review_id":"{n:022d}","user_id":"u{who:021x}",'
                f'"business_id":"b{where:021x}","stars":4,"date":"{day}",'
                f'"text":"{texts[n % len(texts)]}","useful":0,"funny":0,"cool":0}}\n'
                for n, who, where, day in zip(rows.tolist(), *columns, strict=True)
            )
    return path


def write_automotive(folder: pathlib.Path) -> pathlib.Path:
    """20,473 reviews of 1,835 articles by 2,928 users, their times whole days."""
    rng = np.random.default_rng(5)
    user, item = long_tailed(2_928, 1_835, 20_473, rng, 5, 5)
    days = rng.integers(_FIRST // _DAY, _LAST // _DAY, len(user)) * _DAY

    def reviews() -> Iterator[str]:
        for who, what, day in zip(user, item, days.tolist(), strict=True):
            review = {
                "reviewerID": f"A{who:013d}",
                "asin": f"B{what:09d}",
                "reviewText": "so it goes",
                "overall": 5.0,
                "unixReviewTime": day,
            }
            yield json.dumps(review) + "\n"

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "reviews_Automotive_5.json.gz"
    with gzip.open(path, "wt", compresslevel=1) as stream:
        stream.writelines(reviews())
    return path


WRITERS = {
    "ml20m": write_ml20m,
    "goodbooks": write_goodbooks,
    "yelp": write_yelp,
    "automotive": write_automotive,
}


if __name__ == "__main__":
    for key in sys.argv[1].split(","):
        print(WRITERS[key](pathlib.Path(sys.argv[2])))
