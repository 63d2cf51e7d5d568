"""Writes files as the publishers do, small for tests and full-size for measuring.

python -m tests.data_prep.publishers ml20m FOLDER    20 million ratings
python -m tests.data_prep.publishers yelp FOLDER     6 million reviews with texts
"""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

Row = tuple[str, str, int]


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def ratings_dat(rows: Iterable[Row]) -> bytes:
    return "".join(f"{u}::{i}::5::{t}\n" for u, i, t in rows).encode("latin-1")


def reviews_json(rows: Iterable[Row]) -> bytes:
    lines = (
        json.dumps(
            {
                "reviewerID": u,
                "asin": i,
                "reviewText": 'so\nso, "quoted" ünï',
                "overall": 5.0,
                "unixReviewTime": t,
            }
        )
        for u, i, t in rows
    )
    return ("\n".join(lines) + "\n").encode()


def gzip_of(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 1))
    return path


def write_full_ml20m(folder: Path, ratings: int = 20_000_263) -> Path:
    """138,493 users with 20 ratings and more, 26,744 films, by user."""
    rng = np.random.default_rng(20)
    users, items = 138_493, 26_744
    activity = np.minimum(rng.pareto(0.9, users) * 20 + 20, 3000)
    counts = np.maximum((activity * ratings / activity.sum()).astype(int), 1)
    path = folder / "ml-20m.zip"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("ml-20m/ratings.csv", "w", force_zip64=True) as stream,
    ):
        stream.write(b"userId,movieId,rating,timestamp\r\n")
        written = 0
        for user, count in enumerate(counts, start=1):
            if user == users:
                count = max(ratings - written, 1)
            films = np.unique((rng.random(count + count // 4) ** 2 * items).astype(int))
            films = films[: int(count)] * 5 + 1
            times = rng.integers(789_652_009, 1_427_784_002, len(films))
            written += len(films)
            stream.write(
                "".join(
                    f"{user},{i},3.5,{t}\r\n"
                    for i, t in zip(films.tolist(), times.tolist(), strict=True)
                ).encode()
            )
    print(f"{path}: {written:,} ratings of {users:,} users")
    return path


def write_full_yelp(folder: Path, reviews: int = 6_000_000) -> Path:
    """1.5 million users, 190 thousand businesses, texts of 600 characters."""
    rng = np.random.default_rng(6)
    words = np.array([f"w{n:x}" for n in rng.integers(0, 1 << 24, 5000)])
    texts = [" ".join(rng.choice(words, 85)) for _ in range(2000)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "yelp_academic_dataset_review.json"
    step = 100_000
    with open(path, "w", encoding="utf-8") as stream:
        for first in range(0, reviews, step):
            users = (rng.random(step) ** 4 * 1_500_000).astype(int).tolist()
            places = (rng.random(step) ** 3 * 190_000).astype(int).tolist()
            days = rng.integers(0, 5000, step).astype("datetime64[D]") + 12_500
            lines = []
            for n, (user, place, day) in enumerate(
                zip(users, places, days.astype(str).tolist(), strict=True)
            ):
                text = texts[(first + n) % len(texts)]
                lines.append(
                    f'{{"review_id":"{first + n:022d}","user_id":"u{user:021x}",'
                    f'"business_id":"b{place:021x}","stars":4,"date":"{day}",'
                    f'"text":"{text}","useful":0,"funny":0,"cool":0}}\n'
                )
            stream.writelines(lines)
    print(f"{path}: {reviews:,} reviews, {path.stat().st_size / 1e9:.2f} GB")
    return path


if __name__ == "__main__":
    {"ml20m": write_full_ml20m, "yelp": write_full_yelp}[sys.argv[1]](Path(sys.argv[2]))
