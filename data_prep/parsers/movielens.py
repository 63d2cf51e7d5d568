r"""MovieLens, as GroupLens publishes it.

    100K  u.data         user \t item \t rating \t seconds
          u.item         id|title|date||url|19 flags, latin-1; u.genre names them
    1M    ratings.dat    user::item::rating::seconds, not in time order
          movies.dat     id::title::genre|genre, latin-1
    20M   ratings.csv    userId,movieId,rating,timestamp
          movies.csv     movieId,title,genre|genre, UTF-8

Every rating is a positive, whatever its value. The wheel of recbole 1.2.1
carries 100K as `ml-100k.inter` and `ml-100k.item`: tab-separated with a header,
the year apart from the title, genres separated by spaces.
"""

from __future__ import annotations

import csv
import io

from data_prep.archives import Inputs
from data_prep.interactions import Interactions
from data_prep.parsers.delimited import read_integers

Titles = dict[str, tuple[str, str]]


def read_100k(inputs: Inputs) -> Interactions:
    """`u.data`, or `ml-100k.inter` of the recbole wheel."""
    wheel = inputs.has("ml-100k.inter")
    member = "ml-100k.inter" if wheel else "u.data"
    wanted = ["user", "item", "time"]
    header = ["user", "item", "rating", "time"]
    if wheel:
        wanted = ["user_id:token", "item_id:token", "timestamp:float"]
    with inputs.open(member) as stream:
        rows, dropped = read_integers(
            stream, member, wanted, "\t", None if wheel else header
        )
    titles = _titles_of_wheel(inputs) if wheel else _titles_100k(inputs)
    return Interactions.from_columns(rows, dropped, titles)


def read_1m(inputs: Inputs) -> Interactions:
    """`ratings.dat`, `::` read as a `:` around an empty field."""
    header = ["user", "_1", "item", "_2", "rating", "_3", "time"]
    with inputs.open("ratings.dat") as stream:
        rows, dropped = read_integers(
            stream, "ratings.dat", ["user", "item", "time"], ":", header
        )
    titles = {}
    for fields in _lines(inputs, "movies.dat", "latin-1", "::"):
        if len(fields) == 3:
            titles[fields[0]] = (fields[1], fields[2])
    return Interactions.from_columns(rows, dropped, titles)


def read_20m(inputs: Inputs) -> Interactions:
    """`ratings.csv`."""
    with inputs.open("ratings.csv") as stream:
        rows, dropped = read_integers(
            stream, "ratings.csv", ["userId", "movieId", "timestamp"], ","
        )
    titles = {}
    if inputs.has("movies.csv"):
        with inputs.open("movies.csv") as stream:
            text = io.TextIOWrapper(stream, "utf-8", errors="replace", newline="")
            for fields in csv.reader(text):
                if len(fields) == 3:
                    titles[fields[0]] = (fields[1], _genres(fields[2].split("|")))
    return Interactions.from_columns(rows, dropped, titles)


def _titles_100k(inputs: Inputs) -> Titles:
    genres = [
        fields[0]
        for fields in _lines(inputs, "u.genre", "latin-1", "|")
        if len(fields) == 2
    ]
    titles = {}
    for fields in _lines(inputs, "u.item", "latin-1", "|"):
        flags = fields[5:]
        if len(flags) == len(genres):
            named = [g for g, flag in zip(genres, flags, strict=True) if flag == "1"]
            titles[fields[0]] = (fields[1], "|".join(named))
    return titles


def _titles_of_wheel(inputs: Inputs) -> Titles:
    titles = {}
    for fields in _lines(inputs, "ml-100k.item", "utf-8", "\t"):
        if len(fields) == 4 and fields[0].isdigit():
            item, title, year, genres = fields
            # Film 1412 has its year in the title and a stray letter for a year.
            title = f"{title} ({year})" if year.isdigit() else title
            titles[item] = (title, "|".join(genres.split(" ")))
    return titles


def _genres(names: list[str]) -> str:
    return "|".join(name for name in names if name != "(no genres listed)")


def _lines(inputs: Inputs, member: str, encoding: str, between: str) -> list[list[str]]:
    if not inputs.has(member):
        return []
    with inputs.open(member) as stream:
        text = stream.read().decode(encoding, errors="replace")
    return [line.rstrip("\r").split(between) for line in text.split("\n")]
