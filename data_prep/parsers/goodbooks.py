"""goodbooks-10k: `ratings.csv` (user_id,book_id,rating), in time order.

There are no times: the row order is the time order. Columns are found by name,
since copies differ in their order. `books.csv` gives titles; tags are no genres.
"""

from __future__ import annotations

import csv
import io

from data_prep.archives import Inputs
from data_prep.interactions import Interactions
from data_prep.parsers.delimited import read_integers


def read(inputs: Inputs) -> Interactions:
    """Every rating is a positive, in row order."""
    with inputs.open("ratings.csv") as stream:
        rows, dropped = read_integers(
            stream, "ratings.csv", ["user_id", "book_id"], ","
        )
    titles = {}
    if inputs.has("books.csv"):
        with inputs.open("books.csv") as stream:
            text = io.TextIOWrapper(stream, "utf-8", errors="replace", newline="")
            for book in csv.DictReader(text):
                if book.get("book_id") and book.get("title"):
                    titles[book["book_id"]] = (book["title"], "")
    return Interactions.from_columns(rows, dropped, titles)
