"""A server in this process, and a client of it."""

import contextlib
import http.client
import json
import socket
import threading

import uvicorn

from hyperml_tf.serving.rest import web

LIMITS = web.Limits(bytes=20_000, k=50, ids=100)


@contextlib.contextmanager
def serving(versions, batcher, name="hyperml"):
    """A port at which the application listens."""
    app = web.application(name, versions, batcher, LIMITS)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def ask(port, path, body=None, method=None):
    """Status, and the answer read as strict JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    connection.request(method or ("GET" if body is None else "POST"), path, body)
    answer = connection.getresponse()
    assert answer.headers["content-type"] == "application/json"
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        assert "\n" not in text and json.loads(text).keys() == {"error"}

    def no_constant(name):
        raise AssertionError(f"{name} is not JSON")

    return answer.status, json.loads(text, parse_constant=no_constant)


def predict(port, **request):
    return ask(port, "/v1/models/hyperml:predict", request)
