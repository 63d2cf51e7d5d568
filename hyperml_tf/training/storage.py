"""TensorFlow's errors in reading and writing a run's files, in a user's words.

Python's own, an OSError, say enough; TensorFlow's name an op and a temporary file.
"""

import contextlib
import pathlib
from collections.abc import Iterator

import tensorflow as tf

from hyperml_tf.errors import InputError

# How TensorFlow's file systems report these; the message has no more than the path.
_REASONS: dict[type[tf.errors.OpError], str] = {
    tf.errors.ResourceExhaustedError: "no space left on the device",
    tf.errors.OutOfRangeError: "the file would be larger than is allowed",
    tf.errors.PermissionDeniedError: "permission denied",
    tf.errors.FailedPreconditionError: "read-only file system",
}

# What restoring raises for a missing or damaged file, for other shapes, for variables
# that are not in it, for a file that ends too early.
_UNREADABLE = (tf.errors.OpError, ValueError, AssertionError, IndexError)


@contextlib.contextmanager
def writing(folder: pathlib.Path) -> Iterator[None]:
    """What is written in the block goes to `folder`.

    Raises:
        InputError: it could not be written.
    """
    try:
        yield
    except tf.errors.OpError as error:
        reason = _REASONS.get(type(error)) or _first_line(error)
        raise InputError(
            f"cannot write to {folder}: {reason}; nothing finished is damaged: make "
            "room, and the same command goes on from the last checkpoint"
        ) from None


@contextlib.contextmanager
def reading(folder: pathlib.Path, remedy: str) -> Iterator[None]:
    """What is read in the block are checkpoints in `folder`.

    Raises:
        InputError: they are damaged, or another model's.
    """
    try:
        yield
    except _UNREADABLE as error:
        raise InputError(
            f"{folder} cannot be read as this run's checkpoint "
            f"({_first_line(error)}); {remedy}"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
