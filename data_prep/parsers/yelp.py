"""Yelp's challenge dataset: yelp_academic_dataset_review.json.

One review a line with `user_id`, `business_id` and `date`, a day in the
edition of 2018 (`2018-01-31`), a day and time in later ones. Every review is a
positive; a date that is none counts as no time.
"""

from __future__ import annotations

import pyarrow as pa

from data_prep.archives import Inputs
from data_prep.interactions import Interactions
from data_prep.parsers.json_lines import read_reviews

_FIELDS = ("user_id", "business_id", "date")


def read(inputs: Inputs) -> Interactions:
    """Reads the one file of reviews."""
    (member,) = inputs.files()
    with inputs.open(member) as stream:
        rows, dropped = read_reviews(stream, member, _FIELDS, pa.string(), _seconds)
    return Interactions.from_columns(rows, dropped)


def _seconds(dates: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates as seconds, null where there is none."""
    try:
        return dates.cast(pa.timestamp("s")).cast(pa.int64())
    except pa.ArrowInvalid:  # an odd one among them
        import pandas as pd  # half of what --help would wait for

        parsed = pd.to_datetime(
            dates.to_pandas(), format="ISO8601", utc=True, errors="coerce"
        )
        seconds = pa.Array.from_pandas(parsed).cast(
            pa.timestamp("s", "UTC"), safe=False
        )
        return pa.chunked_array([seconds.cast(pa.int64())])
