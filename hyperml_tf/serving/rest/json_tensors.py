"""JSON of TensorFlow Serving's REST API as tensors, and tensors as JSON.

A request names a signature, and gives its inputs by name ("inputs") or row by row
("instances"); the answer is in the same form ("outputs", "predictions"). Nested lists
are tensors, {"b64": …} is a string of bytes. Beyond TensorFlow Serving an input that
has a default may be left out, and in an answer NaN is null, since JSON has no NaN.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

DEFAULT_SIGNATURE = "serving_default"


class Refusal(Exception):
    """A request that is not answered: an HTTP status, and one line that says why."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Input(NamedTuple):
    """What a signature takes under one name.

    Attributes:
        dtype: of the tensor.
        rank: number of its dimensions.
        default: what stands for it where a request leaves it out; None: it may not.
    """

    dtype: tf.DType
    rank: int
    default: np.ndarray | None = None


class Request(NamedTuple):
    """What a body asks for.

    Attributes:
        signature: its name.
        tensors: all inputs of the signature.
        by_row: whether the answer comes row by row.
    """

    signature: str
    tensors: dict[str, np.ndarray]
    by_row: bool


def parse(body: bytes, signatures: Mapping[str, Mapping[str, Input]]) -> Request:
    """What the body of a request asks for.

    Args:
        body: JSON in UTF-8.
        signatures: name -> inputs by name.

    Raises:
        Refusal: the body is no request to these signatures.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"JSON Parse error: {error}") from None
    if not isinstance(asked, dict):
        raise Refusal(400, "the request is not a JSON object")
    name = asked.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise Refusal(400, "'signature_name' key must be a string value")
    name = name or DEFAULT_SIGNATURE
    if name not in signatures:
        raise Refusal(
            400,
            f'Serving signature name: "{name}" not found in signature def; there are: '
            f"{', '.join(sorted(signatures))}",
        )
    if ("instances" in asked) == ("inputs" in asked):
        raise Refusal(400, "give one of the keys 'inputs' and 'instances'")
    by_row = "instances" in asked
    inputs = signatures[name]
    if by_row:
        given = _columns(asked["instances"], inputs)
    else:
        given = asked["inputs"]
        if not isinstance(given, dict) or _is_bytes(given):
            given = {_only_name(inputs, "inputs"): given}
    return Request(name, _tensors(given, inputs), by_row)


def written(tensors: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """The JSON of an answer; an only output stands without its name."""
    lists = {name: _nested(array) for name, array in tensors.items()}
    values: Any = lists
    if len(lists) == 1:
        (values,) = lists.values()
    elif by_row:
        rows = zip(*lists.values(), strict=True)
        values = [dict(zip(lists, row, strict=True)) for row in rows]
    answer = {"predictions" if by_row else "outputs": values}
    return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()


def _columns(rows: Any, inputs: Mapping[str, Input]) -> dict[str, list]:
    """Values by the name of their input, from one value or object a row."""
    if not isinstance(rows, list) or not rows:
        raise Refusal(400, "'instances' must be a list with at least one element")
    if not isinstance(rows[0], dict) or _is_bytes(rows[0]):
        return {_only_name(inputs, "instances"): rows}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            raise Refusal(
                400,
                f"Failed to process element: {number} of 'instances' list: it must be "
                f"an object with the keys {', '.join(map(str, rows[0]))}",
            )
    return {name: [row[name] for row in rows] for name in rows[0]}


def _only_name(inputs: Mapping[str, Input], key: str) -> str:
    """The input that values without a name are for."""
    names = [name for name, of in inputs.items() if of.default is None]
    if len(names) != 1:
        raise Refusal(
            400, f"'{key}' must name the tensors; they are: {', '.join(sorted(names))}"
        )
    return names[0]


def _tensors(given: dict, inputs: Mapping[str, Input]) -> dict[str, np.ndarray]:
    for name in given:
        if name not in inputs:
            raise Refusal(
                400,
                f"there is no input named {name!r}; there are: {', '.join(inputs)}",
            )
    tensors = {}
    for name, of in inputs.items():
        if name in given:
            tensors[name] = _tensor(given[name], of, name)
        elif of.default is None:
            raise Refusal(400, f"Missing named input: {name}")
        else:
            tensors[name] = of.default
    return tensors


def _tensor(value: Any, of: Input, name: str) -> np.ndarray:
    """A nested list, or a single value, as an array."""
    shape: list[int] = []
    first = value
    while isinstance(first, list) and len(shape) <= of.rank:
        shape.append(len(first))
        if not first:  # an empty list is empty in the dimensions below it, too
            shape += [0] * (of.rank - len(shape))
            break
        first = first[0]
    if len(shape) != of.rank:
        raise Refusal(
            400, f"input {name} has {len(shape)} dimensions, and takes {of.rank}"
        )
    values: list = []
    _fill(values, value, shape, of.dtype, name)
    if of.dtype == tf.string:
        array = np.empty(len(values), object)
        array[:] = values
        return array.reshape(shape)
    return np.array(values, of.dtype.as_numpy_dtype).reshape(shape)


def _fill(values, value, shape, dtype, name) -> None:
    if not shape:
        values.append(_leaf(value, dtype, name))
    elif not isinstance(value, list) or len(value) != shape[0]:
        raise Refusal(400, f"input {name}: its lists are not of one length and depth")
    else:
        for one in value:
            _fill(values, one, shape[1:], dtype, name)


def _leaf(value: Any, dtype: tf.DType, name: str) -> Any:
    if dtype == tf.string:
        if isinstance(value, str):
            try:
                return value.encode()
            except UnicodeEncodeError:  # half of a surrogate pair
                raise Refusal(400, f"input {name}: a string is not Unicode") from None
        if _is_bytes(value):
            try:
                return base64.b64decode(value["b64"], validate=True)
            except (binascii.Error, ValueError):
                raise Refusal(400, "Unable to base64 decode") from None
    elif dtype == tf.bool:
        if isinstance(value, bool):
            return value
    elif dtype.is_floating:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    elif isinstance(value, int) and not isinstance(value, bool):
        if dtype.min <= value <= dtype.max:
            return value
    kind = type(value).__name__
    raise Refusal(400, f"input {name}: a JSON {kind} is not of type {dtype.name}")


def _is_bytes(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"b64"}
        and isinstance(value["b64"], str)
    )


def _nested(array: np.ndarray) -> Any:
    """Lists of what JSON has: text for bytes, null for what is no finite number."""
    if array.dtype == object:
        return np.vectorize(bytes.decode, otypes=[object])(array).tolist()
    if np.issubdtype(array.dtype, np.floating):
        values = array.astype(object)
        values[~np.isfinite(array)] = None
        return values.tolist()
    return array.tolist()
