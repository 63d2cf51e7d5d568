"""The versions of a served model: found, loaded, warmed, and replaced while serving.

A folder of numbered exports (1, 2, …), as TensorFlow Serving has it, serves the one
with the highest number. A single export is version 1, and each export that takes its
place is the next.
"""

import gc
import pathlib
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from hyperml_tf.errors import InputError
from hyperml_tf.serving.exported import Exported
from hyperml_tf.serving.rest.json_tensors import Input, Refusal

_SAVED_MODEL = "saved_model.pb"
# Users of the warm-up: one, and a batch.
_WARM_UP = (1, 8)


class Version:
    """An export, loaded and warm.

    Attributes:
        number: of the version.
        inputs: signature -> inputs by name.
        metadata: its signatures as TensorFlow Serving describes them.

    Args:
        folder: the export.
        number: see above.

    Raises:
        InputError: it cannot be loaded here.
    """

    def __init__(self, folder: pathlib.Path, number: int):
        self.number = number
        exported = Exported(folder)
        self._functions = exported.signatures
        saved_model = saved_model_pb2.SavedModel()
        saved_model.ParseFromString((folder / _SAVED_MODEL).read_bytes())
        signatures = {
            name: signature
            for name, signature in saved_model.meta_graphs[0].signature_def.items()
            if name in self._functions
        }
        self.metadata = {n: _described(s) for n, s in signatures.items()}
        self.inputs = {name: _inputs(s) for name, s in signatures.items()}
        self._warm_up()

    def call(self, signature: str, tensors: Mapping[str, np.ndarray]) -> dict:
        """The answer of a signature, as arrays by name."""
        feed = {name: tf.constant(value) for name, value in tensors.items()}
        answer = self._functions[signature](**feed)
        return {name: tensor.numpy() for name, tensor in sorted(answer.items())}

    def _warm_up(self) -> None:
        """Asks every signature, so that no request waits for a first time."""
        for count in _WARM_UP:
            ids = {"user_ids": np.full(count, b"", object)}  # unknown, so popular items
            answer = self.call("recommend", self._filled("recommend", ids))
            ids["item_ids"] = answer["item_ids"][:, 0]
            for name, inputs in self.inputs.items():
                if {n for n, of in inputs.items() if of.default is None} <= ids.keys():
                    self.call(name, self._filled(name, ids))

    def _filled(
        self, signature: str, ids: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Inputs of a signature: ids [B], or lists of one, and else the defaults."""
        return {
            name: ids[name].reshape([-1] + [1] * (of.rank - 1))
            if of.default is None
            else of.default
            for name, of in self.inputs[signature].items()
        }


class Versions:
    """The version of a model that is served, which `refresh` replaces by a newer one.

    Args:
        folder: an export, or a folder of numbered exports.

    Raises:
        InputError: there is no export, or it cannot be loaded here.
    """

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._counted = 0  # of exports that took the place of a single one
        self._seen = self._newest()
        if self._seen is None:
            raise InputError(
                f"{folder} is no export and has no folders 1, 2, … with exports; write "
                "one with hyperml_tf.export --run=… --output=…"
            )
        self._serving = self._loaded(self._seen)

    @property
    def serving(self) -> Version:
        """The version that requests without a number get."""
        return self._serving

    def numbered(self, number: int | None) -> Version:
        """The version of this number, or the serving one.

        Raises:
            Refusal: it is not served.
        """
        serving = self._serving
        if number is not None and number != serving.number:
            raise Refusal(
                404,
                f"version {number} is not served; it is version {serving.number}",
            )
        return serving

    def refresh(self) -> bool:
        """Serves the newest version, if that is another; keeps the old one if it fails.

        Returns:
            Whether it did. Requests that the old version has begun are finished by it.
        """
        newest = self._newest()
        if newest is None or newest == self._seen:
            return False
        self._seen = newest  # tried once: until something changes there
        try:
            version = self._loaded(newest)
        except Exception as error:  # of any kind: the old version goes on
            logging.warning(
                "cannot serve %s (%s); version %d still serves",
                *(newest[0], " ".join(str(error).split()), self._serving.number),
            )
            return False
        if self._newest() != newest:  # replaced while it was read
            self._seen = None
            return False
        self._serving = version
        logging.info("%s: version %d serves", newest[0], version.number)
        gc.collect()  # a loaded model is full of cycles
        return True

    def refresh_every(self, seconds: float) -> threading.Event:
        """Calls `refresh` from a thread of its own until the event is set."""
        done = threading.Event()

        def watch():
            while not done.wait(seconds):
                self.refresh()

        threading.Thread(target=watch, name="versions", daemon=True).start()
        return done

    def _newest(self) -> tuple | None:
        """The newest export: folder, number or None, and what changes with files."""
        try:
            if (self._folder / _SAVED_MODEL).exists():
                return self._folder, None, _state(self._folder)
            numbers = [
                int(path.name)
                for path in self._folder.iterdir()
                if path.name.isascii() and path.name.isdecimal()
                if (path / _SAVED_MODEL).exists()
            ]
            if not numbers:
                return None
            folder = self._folder / str(max(numbers))
            return folder, max(numbers), _state(folder)
        except OSError:  # an export is just being replaced
            return None

    def _loaded(self, found: tuple) -> Version:
        folder, number, _ = found
        version = Version(folder, self._counted + 1 if number is None else number)
        if number is None:
            self._counted += 1
        return version


def _state(folder: pathlib.Path) -> tuple:
    """Differs once a file of the folder was written."""
    stats = [(path.name, path.stat()) for path in sorted(folder.rglob("*"))]
    return tuple((name, s.st_ino, s.st_mtime_ns, s.st_size) for name, s in stats)


def _inputs(signature) -> dict[str, Input]:
    defaults = {
        name: np.asarray(tf.make_ndarray(proto))
        for name, proto in signature.defaults.items()
    }
    return {
        name: Input(
            tf.as_dtype(info.dtype),
            len(info.tensor_shape.dim),
            defaults.get(name),
        )
        for name, info in sorted(signature.inputs.items())
    }


def _described(signature) -> dict[str, Any]:
    """JSON of a `SignatureDef`, as protobuf writes it."""
    return {
        "inputs": {n: _tensor_info(i) for n, i in sorted(signature.inputs.items())},
        "outputs": {n: _tensor_info(i) for n, i in sorted(signature.outputs.items())},
        "method_name": signature.method_name,
    }


def _tensor_info(info) -> dict[str, Any]:
    dims = [{"size": str(dim.size), "name": dim.name} for dim in info.tensor_shape.dim]
    shape = {"dim": dims, "unknown_rank": info.tensor_shape.unknown_rank}
    dtype = types_pb2.DataType.Name(info.dtype)
    return {"dtype": dtype, "tensor_shape": shape, "name": info.name}
