"""Requests that wait are joined, and each gets its own answer or its own fault."""

import threading

import numpy as np
import pytest

from hyperml_tf.serving.rest.batching import Batcher
from hyperml_tf.serving.rest.json_tensors import Refusal


class Fake:
    """A version whose calls wait for `go`, and fail on the user "bad"."""

    def __init__(self):
        self.go, self.calls = threading.Event(), []

    def call(self, signature, tensors):
        self.go.wait(60)
        self.calls.append([*tensors["ids"]])
        if "bad" in tensors["ids"]:
            raise ValueError("a bad user")
        return {
            "same": tensors["ids"],
            "k": np.repeat(tensors["k"], len(tensors["ids"])),
        }


def tensors(*ids, k=1):
    return {"ids": np.array(ids, object), "k": np.array(k)}


def test_waiting_requests_are_joined_by_their_flags_and_cut_again():
    version, batcher = Fake(), Batcher(3, 100)
    first = batcher.submit(version, "s", tensors("warm"))
    while batcher._waiting.qsize():
        pass
    asked = [("a", "b"), ("c",), ("d",), ("e", "f", "g", "h")]
    answers = [batcher.submit(version, "s", tensors(*ids)) for ids in asked]
    other = batcher.submit(version, "s", tensors("z", k=2))
    version.go.set()
    assert first.result()["same"].tolist() == ["warm"]
    for ids, answer in zip(asked, answers, strict=True):
        assert answer.result()["same"].tolist() == [*ids]
    assert other.result()["k"].tolist() == [2]
    batcher.close()
    assert sorted(version.calls[1:]) == [
        ["a", "b", "c"],
        ["d"],
        ["e", "f", "g", "h"],
        ["z"],
    ]


def test_a_fault_is_its_own_requests_alone_and_who_left_is_skipped():
    version, batcher = Fake(), Batcher(10, 2)
    batcher.submit(version, "s", tensors("warm"))
    while batcher._waiting.qsize():
        pass
    bad = batcher.submit(version, "s", tensors("bad"))
    good = batcher.submit(version, "s", tensors("good"))
    with pytest.raises(Refusal, match="too many requests wait") as refused:
        batcher.submit(version, "s", tensors("more"))
    assert refused.value.status == 503
    version.go.set()
    assert good.result()["same"].tolist() == ["good"]
    with pytest.raises(ValueError, match="a bad user"):
        bad.result()
    version.go.clear()
    batcher.submit(version, "s", tensors("slow"))
    while batcher._waiting.qsize():
        pass
    gone = batcher.submit(version, "s", tensors("gone"))
    last = batcher.submit(version, "s", tensors("last"))
    assert gone.cancel()
    version.go.set()
    batcher.close()
    assert last.result()["same"].tolist() == ["last"]
    assert ["gone"] not in version.calls
