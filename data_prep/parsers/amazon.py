"""Amazon product data 2014 (McAuley et al.), 5-core: reviews_<Category>_5.json.gz.

One review a line with `reviewerID`, `asin` and `unixReviewTime` (whole days in
seconds), as JSON or, in some copies, as a Python literal. Every review is a
positive. Times tie often; ties stay in source order.
"""

from __future__ import annotations

import pyarrow as pa

from data_prep.archives import Inputs
from data_prep.interactions import Interactions
from data_prep.parsers.json_lines import read_reviews

_FIELDS = ("reviewerID", "asin", "unixReviewTime")


def read(inputs: Inputs) -> Interactions:
    """Reads the one file of a category."""
    (member,) = inputs.files()
    with inputs.open(member) as stream:
        rows, dropped = read_reviews(
            stream, member, _FIELDS, pa.int64(), lambda times: times
        )
    return Interactions.from_columns(rows, dropped)
