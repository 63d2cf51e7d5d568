"""The server answers as the export does, by the paths of TensorFlow Serving."""

import concurrent.futures
import json
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest
import tensorflow as tf

from hyperml_tf.errors import InputError
from hyperml_tf.serving.rest.batching import Batcher
from hyperml_tf.serving.rest.versions import Versions
from tests.conftest import ROOT
from tests.serving import soak
from tests.serving.conftest import USERS
from tests.serving.server import ask, predict, serving


@pytest.fixture(scope="module")
def folder(export_of):
    return export_of("hyperml")


@pytest.fixture(scope="module")
def versions(folder):
    return Versions(folder)


@pytest.fixture(scope="module")
def port(versions):
    batcher = Batcher(64, 1000)
    with serving(versions, batcher) as port:
        yield port
    batcher.close()


@pytest.fixture(scope="module")
def expected(loaded):
    """What a signature of the export says, as JSON has it."""

    def ask(signature, **request):
        feed = {name: tf.constant(value) for name, value in request.items()}
        answer = loaded("hyperml").signatures[signature](**feed)
        return {name: soak.plain(value.numpy()) for name, value in answer.items()}

    return ask


def test_recommendations_are_those_of_the_export(port, expected):
    users = ["u3é", "nobody", "u0é"]
    request = {"user_ids": users, "k": 5, "exclude_seen": False}
    truth = expected("recommend", **request)
    status, answer = predict(port, signature_name="recommend", inputs=request)
    assert (status, answer) == (200, {"outputs": truth})
    assert truth["scores"][1] == [None] * 5
    instances = [{"user_ids": user} for user in users]
    status, answer = predict(port, instances=instances)
    defaults = {"user_ids": users, "k": 10, "exclude_seen": True}
    truth = expected("recommend", **defaults)
    columns = zip(*truth.values(), strict=True)
    rows = [dict(zip(truth, row, strict=True)) for row in columns]
    assert (status, answer) == (200, {"predictions": rows})
    filtered = request | {
        "exclude_items": [["i5", ""]],
        "allowed_items": [["i5", "i6"]],
    }
    status, answer = predict(port, signature_name="recommend_filtered", inputs=filtered)
    truth = expected("recommend_filtered", **filtered)
    assert (status, answer) == (200, {"outputs": truth})


def test_similar_items_and_scores_are_those_of_the_export(port, expected):
    for signature, request in (
        ("similar_items", {"item_ids": ["i3", "i?"], "k": 4}),
        ("score", {"user_ids": ["u3é", "x"], "item_ids": ["i3", "i4"]}),
    ):
        status, answer = predict(port, signature_name=signature, inputs=request)
        truth = expected(signature, **request)
        assert (status, answer) == (200, {"outputs": truth})


@pytest.mark.parametrize(
    "path", ["/v1/models/hyperml", "/v1/models/hyperml/versions/1"]
)
def test_the_status_is_as_tensorflow_serving_writes_it(port, path):
    assert ask(port, path) == (200, {"model_version_status": [{
        "version": "1", "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }]})  # fmt: skip


def test_the_metadata_describes_every_signature(port):
    status, answer = ask(port, "/v1/models/hyperml/metadata")
    assert status == 200
    assert answer["model_spec"] == {
        "name": "hyperml", "signature_name": "", "version": "1"
    }  # fmt: skip
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert {"recommend", "recommend_filtered", "score", "similar_items"} < {*signatures}
    score = signatures["score"]
    assert score["method_name"] == "tensorflow/serving/predict"
    assert score["inputs"]["user_ids"] == {
        "dtype": "DT_STRING", "name": score["inputs"]["user_ids"]["name"],
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
    }  # fmt: skip
    assert score["outputs"]["scores"]["dtype"] == "DT_DOUBLE"


PREDICT = "/v1/models/hyperml:predict"


@pytest.mark.parametrize(
    "path, body, status, complaint",
    [
        ("/", None, 404, "Malformed request: GET /"),
        ("/v1/models/other", None, 404, "Servable not found for request: other"),
        ("/v1/models/other:predict", {}, 404, "Servable not found"),
        ("/v1/models/hyperml:classify", {}, 405, "Malformed request: POST"),
        ("/v1/models/hyperml/versions/2", None, 404, "version 2 is not served"),
        ("/v1/models/hyperml/versions/x:predict", {}, 400, "convert version: x"),
        (f"/v1/models/hyperml/versions/{'9' * 5000}", None, 400, "convert version"),
        (PREDICT, b"{", 400, "JSON Parse error"),
        (PREDICT, {"inputs": {"user_ids": ["u"], "k": 0}}, 400, "k must be >= 1"),
        (PREDICT, {"inputs": {"user_ids": ["u"], "k": 51}}, 400, "at most 50"),
        (PREDICT, {"inputs": ["u"] * 101}, 400, "user_ids has 101 rows; at most 100"),
        (PREDICT, {"inputs": ["u" * 20_000]}, 413, "more than 20000 bytes"),
        (PREDICT, {"signature_name": "score", "inputs": {
            "user_ids": ["u3é"], "item_ids": ["i?"]}}, 400, "not in the catalogue"),
        (PREDICT, {"signature_name": "score", "inputs": {
            "user_ids": ["u3é"], "item_ids": []}}, 400, "must be of one length"),
        (PREDICT, {"signature_name": "recommend_filtered", "inputs": {
            "user_ids": ["u"], "allowed_items": [["a"], ["b"]]}}, 400, "one row"),
    ],
)  # fmt: skip
def test_bad_requests_get_one_line(path, body, status, complaint, port):
    got, answer = ask(port, path, body)
    assert got == status and complaint in answer["error"]


def test_other_methods_get_one_line(port):
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        status, answer = ask(port, "/v1/models/hyperml", method=method)
        assert status == 405 and answer["error"].startswith("Malformed request")


def test_clients_that_go_away_leave_the_server_well(port):
    head = b"POST /v1/models/hyperml:predict HTTP/1.1\r\nHost: x\r\n"
    for sent in (
        *(b"", b"GET", b"\x00\xff\r\n\r\n"),
        head + b"Content-Length: 99\r\n\r\n{",
    ):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(sent)
    assert predict(port, inputs=["u3é"])[0] == 200


def requests(count, rng):
    """Mixed requests, and the status of their answers."""
    for _ in range(count):
        users = [
            f"u{u}é" for u in rng.integers(USERS + 5, size=int(rng.integers(1, 5)))
        ]
        items = [f"i{i}" for i in rng.integers(310, size=len(users))]
        k = int(rng.integers(0, 4)) * 5
        score = {"user_ids": users, "item_ids": items}
        unknown = any(int(item[1:]) >= 300 for item in items)
        yield (
            ("recommend", {"user_ids": users, "k": k}, 200 if k else 400),
            ("similar_items", {"item_ids": items, "k": 5}, 200),
            ("score", score, 400 if unknown else 200),
            ("score", {"user_ids": users}, 400),
        )[rng.integers(4)]


def test_many_clients_at_once_get_what_one_gets(port, versions, monkeypatch, rng):
    calls = []
    served = versions.serving
    call = served.call

    def counted(signature, tensors):
        calls.append(signature)
        return call(signature, tensors)

    monkeypatch.setattr(served, "call", counted)
    asked = list(requests(300, rng))

    def answer(request):
        return predict(port, signature_name=request[0], inputs=request[1])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(answer, asked))
    joined = len(calls)
    for request, got in zip(asked, together, strict=True):
        alone = answer(request)
        assert alone == got and got[0] == request[2]
    assert joined < len(calls) - joined  # fewer calls than requests


def test_what_stops_the_server_before_it_starts_is_said_in_one_line(
    main, folder, tmp_path, monkeypatch
):
    with pytest.raises(InputError, match="--model=FOLDER is missing"):
        main("serve")
    with pytest.raises(InputError, match="is no export"):
        main("serve", f"--model={tmp_path}", "--port=0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{port}"):
            main("serve", f"--model={folder}", f"--port={port}")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(InputError, match="pip install fastapi uvicorn"):
        main("serve", f"--model={folder}")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_after_the_requests_that_it_has_begun(number, folder):
    words = [sys.executable, "-m", "hyperml_tf.serve", f"--model={folder}", "--port=0"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            _end_while_asked(server, number)
        finally:
            server.kill()


def _end_while_asked(server, number):
    ready = server.stdout.readline()
    assert "ready: http://127.0.0.1:" in ready, server.stderr.read()
    port = int(re.search(r":(\d+)/v1/models/hyperml$", ready)[1])
    assert predict(port, inputs=["u3é"])[0] == 200
    body = json.dumps({"inputs": ["u3é"]}).encode()
    with socket.create_connection(("127.0.0.1", port)) as begun:
        begun.sendall(
            b"POST /v1/models/hyperml:predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body[:5])
        )
        threading.Event().wait(0.5)
        server.send_signal(number)
        threading.Event().wait(0.5)
        begun.sendall(body[5:])
        answer = begun.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200") and b'"known_users": [true]' in answer
    rest, errors = server.communicate(timeout=60)
    assert server.returncode == 0 and errors == ""
    assert rest.endswith("ended\n")


@pytest.mark.slow
def test_a_short_soak_finds_no_wrong_answer(folder):
    soaked, before, after = soak.main(folder, count=1000, seconds=60)
    assert soaked.wrong == []
    assert {200, 400, 413} < soaked.statuses.keys()
    assert after < before + 50
