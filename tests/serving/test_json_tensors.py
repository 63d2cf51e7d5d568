"""JSON as TensorFlow Serving reads it, and the answers as other readers read them."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.serving.rest.json_tensors import Input, Refusal, parse, written

SIGNATURES = {
    # Of the example in TensorFlow Serving's page on its REST API.
    "example": {
        "tag": Input(tf.string, 1),
        "signal": Input(tf.int32, 2),
        "sensor": Input(tf.int64, 3),
    },
    "serving_default": {
        "user_ids": Input(tf.string, 1),
        "k": Input(tf.int32, 0, np.array(10, np.int32)),
        "exclude_seen": Input(tf.bool, 0, np.array(True)),
        "lists": Input(tf.string, 2, np.array([[b""]], object)),
    },
    "numbers": {"x": Input(tf.float32, 1)},
}


def ask(**request):
    return parse(json.dumps(request).encode(), SIGNATURES)


ROWS = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]
COLUMNS = {
    "tag": ["foo", "bar"],
    "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
    "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]],
}


@pytest.mark.parametrize("form", [{"instances": ROWS}, {"inputs": COLUMNS}])
def test_rows_and_columns_are_the_same_tensors(form):
    asked = ask(signature_name="example", **form)
    assert asked.signature == "example" and asked.by_row == ("instances" in form)
    assert asked.tensors["tag"].tolist() == [b"foo", b"bar"]
    assert asked.tensors["signal"].dtype == np.int32
    assert asked.tensors["sensor"].dtype == np.int64
    assert asked.tensors["signal"].tolist() == COLUMNS["signal"]
    assert asked.tensors["sensor"].tolist() == COLUMNS["sensor"]


def test_what_has_a_default_may_be_left_out():
    tensors = ask(inputs={"user_ids": ["é"], "k": 3}).tensors
    assert tensors["user_ids"].tolist() == ["é".encode()]
    assert tensors["k"] == 3 and tensors["exclude_seen"].item() is True
    for request in (
        {"inputs": {"user_ids": ["a", "b"]}},
        {"inputs": ["a", "b"]},
        {"instances": [{"user_ids": "a"}, {"user_ids": "b"}]},
        {"instances": ["a", "b"]},
        {"signature_name": "", "inputs": ["a", "b"]},
    ):
        asked = ask(**request)
        assert asked.signature == "serving_default"
        assert asked.tensors["user_ids"].tolist() == [b"a", b"b"]
        assert asked.tensors["k"] == 10


def test_bytes_come_in_base64():
    raw = b"\xff\x00"
    coded = {"b64": base64.b64encode(raw).decode()}
    for request in ({"inputs": [coded, "x"]}, {"instances": [coded, "x"]}):
        assert ask(**request).tensors["user_ids"].tolist() == [raw, b"x"]


@pytest.mark.parametrize(
    "lists, shape",
    [
        *(([], (0, 0)), ([[]], (1, 0)), ([[""]], (1, 1))),
        ([["a", "b"], ["", ""]], (2, 2)),
    ],
)
def test_empty_lists_are_empty_tensors(lists, shape):
    tensors = ask(inputs={"user_ids": [], "lists": lists}).tensors
    assert tensors["user_ids"].shape == (0,) and tensors["lists"].shape == shape


def test_whole_numbers_are_numbers():
    asked = ask(signature_name="numbers", inputs=[1, 2.5])
    assert asked.tensors["x"].dtype == np.float32
    assert asked.tensors["x"].tolist() == [1.0, 2.5]


@pytest.mark.parametrize(
    "body, complaint",
    [
        (b"", "JSON Parse error"),
        (b"{", "JSON Parse error"),
        (b'{"inputs": "\xff"}', "JSON Parse error"),
        (b"[" * 100_000, "JSON Parse error"),
        (b'{"inputs": [' + b"9" * 10_000 + b"]}", "JSON Parse error"),
        (b"[1]", "not a JSON object"),
        (b"{}", "give one of the keys"),
        (b'{"inputs": [], "instances": []}', "give one of the keys"),
        (b'{"signature_name": 3, "inputs": []}', "must be a string"),
        (b'{"signature_name": "x", "inputs": []}', '"x" not found in signature def'),
        (b'{"instances": []}', "at least one element"),
        (b'{"instances": "a"}', "at least one element"),
        (b'{"instances": [{"user_ids": "a"}, "b"]}', "process element: 1"),
        (b'{"instances": [{"user_ids": "a"}, {"k": 3}]}', "process element: 1"),
        (b'{"instances": [{"user_ids": "a", "k": 3}]}', "k has 1 dimensions"),
        (b'{"inputs": {"k": 3}}', "Missing named input: user_ids"),
        (b'{"inputs": {"user_ids": ["a"], "K": 3}}', "no input named 'K'"),
        (b'{"inputs": {"user_ids": "a"}}', "user_ids has 0 dimensions, and takes 1"),
        (b'{"inputs": {"user_ids": [["a"]]}}', "user_ids has 2 dimensions"),
        (b'{"inputs": ["a", ["b"]]}', "a JSON list is not of type string"),
        (b'{"inputs": [["a"], "b"]}', "has 2 dimensions"),
        (b'{"inputs": ["a", 7]}', "a JSON int is not of type string"),
        (b'{"inputs": ["a", null]}', "a JSON NoneType is not of type string"),
        (b'{"inputs": ["\\ud800"]}', "not Unicode"),
        (b'{"inputs": [{"b64": "!"}]}', "base64"),
        (b'{"inputs": {"user_ids": ["a"], "k": 3.0}}', "a JSON float is not of type"),
        (b'{"inputs": {"user_ids": ["a"], "k": true}}', "a JSON bool is not of type"),
        (b'{"inputs": {"user_ids": ["a"], "k": 2147483648}}', "not of type int32"),
        (b'{"inputs": {"user_ids": ["a"], "exclude_seen": 1}}', "not of type bool"),
        (b'{"inputs": {"user_ids": [], "lists": [["a"], []]}}', "one length and depth"),
        (b'{"signature_name": "example", "inputs": ["a"]}', "must name the tensors"),
    ],
)
def test_what_is_no_request_is_refused(body, complaint):
    with pytest.raises(Refusal, match=complaint) as refused:
        parse(body, SIGNATURES)
    assert refused.value.status == 400


ANSWER = {
    "item_ids": np.array([[b"i1", "é".encode()], [b"", b""]], object),
    "scores": np.array([[0.1, -2.0], [np.nan, np.inf]]),
    "known_users": np.array([True, False]),
}


def test_an_answer_has_the_form_of_its_request_and_no_nan():
    assert json.loads(written(ANSWER, by_row=False)) == {
        "outputs": {
            "item_ids": [["i1", "é"], ["", ""]],
            "scores": [[0.1, -2.0], [None, None]],
            "known_users": [True, False],
        }
    }
    assert json.loads(written(ANSWER, by_row=True)) == {
        "predictions": [
            {"item_ids": ["i1", "é"], "scores": [0.1, -2.0], "known_users": True},
            {"item_ids": ["", ""], "scores": [None, None], "known_users": False},
        ]
    }


def test_an_only_output_stands_without_its_name():
    only = {"scores": np.array([0.5, np.nan])}
    assert json.loads(written(only, by_row=True)) == {"predictions": [0.5, None]}
    assert json.loads(written(only, by_row=False)) == {"outputs": [0.5, None]}
