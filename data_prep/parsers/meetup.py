"""Meetup events and who went (Pham et al., ICDE 2015), one city's folder.

    {train,test}/event_users.txt   E_1 U_5 U_9 …                  who went
    {train,test}/events.txt        E_1 V_2 yyyymmddHHMMSS G_3     when

Both halves are read as one: the split is ours (`data_prep.split`). An event
without a line in events.txt has no time; its pairs are undated.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from data_prep.archives import Inputs
from data_prep.interactions import Interactions

_HALVES = ("train", "test")


def read(inputs: Inputs) -> Interactions:
    """Pairs in file order, training file first; users are U_…, items are E_…."""
    dropped: Counter[str] = Counter()
    seconds: dict[str, int] = {}
    for fields in _lines(inputs, "events.txt"):
        time = _seconds(fields[2]) if len(fields) == 4 else None
        if time is None or not fields[0].startswith("E_"):
            dropped["line of events.txt that is no event"] += 1
        else:
            seconds.setdefault(fields[0], time)
    users, items, times = [], [], []
    for event, *people in _lines(inputs, "event_users.txt"):
        if not event.startswith("E_"):
            dropped["line of event_users.txt that is no event"] += 1
            continue
        for person in people:
            if not person.startswith("U_"):
                dropped["word in event_users.txt that is no user"] += 1
                continue
            users.append(person)
            items.append(event)
            times.append(seconds.get(event))
    return Interactions(
        user=pa.chunked_array([pa.array(users, pa.string())]),
        item=pa.chunked_array([pa.array(items, pa.string())]),
        time=pa.chunked_array([pa.array(times, pa.int64())]),
        dropped=dict(dropped),
    )


def _lines(inputs: Inputs, name: str) -> Iterator[list[str]]:
    for half in _HALVES:
        with inputs.open(f"{half}/{name}") as stream:
            for line in stream:
                fields = line.decode("utf-8", errors="replace").split()
                if fields:
                    yield fields


def _seconds(stamp: str) -> int | None:
    if len(stamp) != 14 or not (stamp.isascii() and stamp.isdigit()):
        return None
    try:
        time = datetime.datetime.strptime(stamp, "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return int(time.replace(tzinfo=datetime.timezone.utc).timestamp())
