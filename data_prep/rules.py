"""What is kept of a table, and what of it is held out: the defaults are the paper's."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from data_prep.errors import InputError

LEAVE_ONE_OUT, BY_TIME, BY_USER = "leave_one_out", "time", "user"
KEEP = ("first", "last")
TIES = ("file", "random")
_SPLIT = re.compile(f"({BY_TIME}|{BY_USER}):([0-9]*[.]?[0-9]+)")


@dataclasses.dataclass(frozen=True)
class Rules:
    """Filters and split.

    Attributes:
        keep: which row of a repeated (user, item) pair stays, "first" or "last".
        min_user: users with fewer distinct items are left out, as long as there are
            any; and so are
        min_item: items with fewer users.
        min_rating: rows rated lower, or not at all, are left out; None: no row is.
        split: "leave_one_out"; "time", the last share of the interactions of all users
            is the test, the share before it validation; or "user", a share of the
            users is tested whole and another validated.
        fraction: that share.
        ties: what orders a user's rows of the same time, the "file" or, "random", a
            permutation that is drawn from the seed.
    """

    keep: str = "first"
    min_user: int = 0
    min_item: int = 0
    min_rating: float | None = None
    split: str = LEAVE_ONE_OUT
    fraction: float = 0.0
    ties: str = "file"

    def described(self) -> dict[str, Any] | None:
        """What is not as the paper has it, for stats.json; None: nothing."""
        default = Rules()
        changed = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != getattr(default, field.name)
        }
        return changed or None


def parse_split(text: str) -> tuple[str, float]:
    """Split and share of `leave_one_out`, `time:SHARE` or `user:SHARE`.

    Raises:
        InputError: it is none of them, or the share leaves nothing to train on.
    """
    if text == LEAVE_ONE_OUT:
        return LEAVE_ONE_OUT, 0.0
    found = _SPLIT.fullmatch(text)
    if not found or not 0 < float(found[2]) <= 0.4:
        raise InputError(
            f"--split={text} must be {LEAVE_ONE_OUT}, {BY_TIME}:SHARE or "
            f"{BY_USER}:SHARE, with a share above 0 and of at most 0.4"
        )
    return found[1], float(found[2])
