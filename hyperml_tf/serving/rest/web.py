"""The paths of TensorFlow Serving's REST API, as an application that uvicorn runs."""

import asyncio
import json
import re
from typing import NamedTuple

import fastapi
import tensorflow as tf
from absl import logging
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hyperml_tf.serving.rest import json_tensors
from hyperml_tf.serving.rest.batching import Batcher
from hyperml_tf.serving.rest.json_tensors import Refusal, Request
from hyperml_tf.serving.rest.versions import Version, Versions


class Limits(NamedTuple):
    """What a request may ask for.

    Attributes:
        bytes: of its body.
        k: items of each answer.
        ids: users or items that are asked about.
    """

    bytes: int
    k: int
    ids: int


def application(
    name: str, versions: Versions, batcher: Batcher, limits: Limits
) -> fastapi.FastAPI:
    """The application that serves one model under `name`."""
    app = fastapi.FastAPI(openapi_url=None)
    for path in ("/v1/models/{model}", "/v1/models/{model}/versions/{number}"):
        app.add_api_route(path, _guarded(_status(name, versions)), methods=["GET"])
        metadata = _guarded(_metadata(name, versions))
        app.add_api_route(path + "/metadata", metadata, methods=["GET"])
        predict = _guarded(_predict(name, versions, batcher, limits))
        app.add_api_route(path + ":predict", predict, methods=["POST"])

    @app.exception_handler(HTTPException)
    async def no_such_path(request: fastapi.Request, error: HTTPException):
        return _error(
            error.status_code, f"Malformed request: {request.method} {request.url.path}"
        )

    return app


def _status(name: str, versions: Versions):
    async def status(request: fastapi.Request) -> bytes:
        served = _version(request, name, versions)
        state = {
            "version": str(served.number),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        return json.dumps({"model_version_status": [state]}).encode()

    return status


def _metadata(name: str, versions: Versions):
    async def metadata(request: fastapi.Request) -> bytes:
        served = _version(request, name, versions)
        spec = {"name": name, "signature_name": "", "version": str(served.number)}
        signatures = {"signature_def": {"signature_def": served.metadata}}
        return json.dumps({"model_spec": spec, "metadata": signatures}).encode()

    return metadata


def _predict(name: str, versions: Versions, batcher: Batcher, limits: Limits):
    async def predict(request: fastapi.Request) -> bytes:
        served = _version(request, name, versions)
        asked = json_tensors.parse(await _body(request, limits.bytes), served.inputs)
        _check(asked, limits)
        answer = batcher.submit(served, asked.signature, asked.tensors)
        tensors = await asyncio.wrap_future(answer)
        return json_tensors.written(tensors, asked.by_row)

    return predict


def _guarded(handle):
    """A handler whose answer is JSON, in the form of an error where it fails."""

    async def guarded(request: fastapi.Request) -> fastapi.Response:
        try:
            body = await handle(request)
            return fastapi.Response(body, media_type="application/json")
        except Refusal as error:
            return _error(error.status, str(error))
        except tf.errors.InvalidArgumentError as error:
            return _error(400, _reason(error.message))
        except ClientDisconnect:  # nobody reads this
            return _error(400, "the client went away")
        except Exception:
            logging.exception("%s %s failed", request.method, request.url.path)
            return _error(500, "the server failed; its log says why")

    return guarded


def _reason(message: str) -> str:
    """The line of TensorFlow's message that says what is wrong with a request."""
    said = re.search("assertion failed: (.*)", message)
    return said[1] if said else message.split("\n")[0]


def _error(status: int, message: str) -> fastapi.Response:
    body = json.dumps({"error": " ".join(message.split())}, ensure_ascii=False)
    return fastapi.Response(
        body.encode(errors="backslashreplace"), status, media_type="application/json"
    )


def _version(request: fastapi.Request, name: str, versions: Versions) -> Version:
    """The version that the path names."""
    if request.path_params["model"] != name:
        asked = request.path_params["model"]
        raise Refusal(
            404, f"Servable not found for request: {asked}; the model here is {name}"
        )
    number = request.path_params.get("number")
    if number is None:
        return versions.serving
    if not re.fullmatch(r"[0-9]{1,18}", number):  # what 64 bits hold
        raise Refusal(400, f"Failed to convert version: {number} to numeric.")
    return versions.numbered(int(number))


async def _body(request: fastapi.Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise Refusal(413, f"the request has more than {limit} bytes")
    return bytes(body)


def _check(asked: Request, limits: Limits) -> None:
    """Refuses what would take too long or too much memory."""
    k = asked.tensors.get("k")
    if k is not None and k > limits.k:
        raise Refusal(400, f"k must be at most {limits.k}, got {k}")
    for name, array in asked.tensors.items():
        if array.ndim and len(array) > limits.ids:
            raise Refusal(
                400, f"{name} has {len(array)} rows; at most {limits.ids} are answered"
            )
