"""A small dataset with structure to learn: users like the items of one branch."""

import csv
import pathlib

import numpy as np


def write_table(
    path: pathlib.Path,
    users: int = 60,
    items: int = 240,
    per_user: int = 14,
    branches: int = 6,
    seed: int = 5,
) -> pathlib.Path:
    """Writes user,item,timestamp rows; most items come from the user's branch."""
    rng = np.random.default_rng(seed)
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("user", "item", "timestamp"))
        for user in range(users):
            branch = np.flatnonzero(np.arange(items) % branches == user % branches)
            inside = rng.choice(branch, size=per_user - 2, replace=False)
            outside = rng.choice(items, size=2, replace=False)
            chosen = dict.fromkeys([*inside, *outside])
            for time, item in enumerate(rng.permutation(list(chosen))):
                rows.writerow((f"u{user:03d}", f"i{item:04d}", 1_000_000 + time))
    return path
