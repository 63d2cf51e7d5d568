"""Writes the vectors of users and items as Parquet, for other engines.

Each file has the columns `id` (raw id) and `vector` (a list of fixed size). Vectors
are float32 where that loses nothing, else float64: near the rim of the ball float32
does not tell neighbours apart. Where items have offsets (`geometry.offsets`), as of
models with biases and of Hyperbolic MF, the items' file has a column `offset`, and
scores are `scale` (offset - d²), with the `scale` of the metadata.
"""

import json
import pathlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hyperml_tf import files
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.geometry.offsets import OffsetBall, OffsetProduct
from hyperml_tf.geometry.retrieval import Points
from hyperml_tf.geometry.spaces import Space
from hyperml_tf.models import Recommender

#: "ball": the points as the model has them, which its distance orders; "tangent": their
#: images under log_0, on which a plain average or a classifier makes sense; "lifted":
#: ψ(u) and φ(v), whose inner products are the model's order, highest first.
FORMS = ("ball", "tangent", "lifted")

# Rows at a time, which are a row group of the file.
_ROWS = 1 << 16


def write(
    model: Recommender,
    interactions: Interactions,
    output: pathlib.Path,
    form: str,
) -> dict:
    """Writes `users.parquet` and `items.parquet` into the folder `output`.

    Args:
        model: a trained model.
        interactions: the dataset it was trained on.
        output: each file takes the place of a former one, whole or not at all.
        form: one of `FORMS`; the vectors of a model of inner products are all three.

    Returns:
        What both files say of themselves, in the JSON `hyperml` of their metadata.

    Raises:
        InputError: the model has no such vectors, the form is not known, or a weight is
            not finite.
    """
    if form not in FORMS:
        raise InputError(f"form {form!r} is not known; one of: {', '.join(FORMS)}")
    model.check_sizes(interactions)
    model.check_finite()
    points = model.retrieval_points()
    if points is None:
        raise InputError(
            f"{type(model).__name__} has no vectors to write: it orders items neither "
            "by a distance nor by a product of vectors"
        )
    described = {
        "model": type(model).__name__,
        "dataset": interactions.name,
        "form": form,
        "measure": type(points.measure).__name__,
        "c": getattr(points.measure, "c", None),
    }
    if isinstance(points.measure, OffsetBall):
        described["scale"] = points.measure.scale
    if form == "lifted" and not points.measure.is_product:
        raise InputError(
            f"--form=lifted: the scores of {described['model']} are no inner products "
            "of vectors; choose --form=ball or --form=tangent, with an offset of items"
        )
    output.mkdir(parents=True, exist_ok=True)
    users, items, offsets = _formed(points, form)
    for name, ids, vectors, column in (
        ("users", interactions.user_ids, users, None),
        ("items", interactions.item_ids, items, offsets),
    ):
        _write(output / f"{name}.parquet", ids, vectors, described, column)
    return described | {"dim": users.shape[1]}


def _formed(
    points: Points, form: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """[U, N], [I, N], and offsets [I] where these vectors alone do not order."""
    users, items, measure = points.users, points.items, points.measure
    offsets = None
    if form == "lifted" or isinstance(measure, OffsetProduct):
        users, items = measure.lift_query(users), measure.lift_item(items)
    else:
        if form == "tangent" and isinstance(measure, Space | OffsetBall):
            users, items = measure.log0(users), measure.log0(items)
        if isinstance(measure, OffsetBall):
            users, items, offsets = users[:, :-1], items[:, :-1], items[:, -1].numpy()
    return users.numpy(), items.numpy(), offsets


def _write(
    path,
    ids: Sequence[str],
    vectors: np.ndarray,
    described: dict,
    offsets: np.ndarray | None,
) -> None:
    single = vectors.astype(np.float32)
    if np.array_equal(single.astype(np.float64), vectors):
        vectors = single
    kind = pa.list_(pa.from_numpy_dtype(vectors.dtype), vectors.shape[1])
    fields = [("id", pa.string()), ("vector", kind)]
    if offsets is not None:
        fields.append(("offset", pa.float64()))
    schema = pa.schema(fields, {"hyperml": json.dumps(described)})
    with files.replacing(path) as file, pq.ParquetWriter(file, schema) as writer:
        for start in range(0, len(vectors), _ROWS):
            part = vectors[start : start + _ROWS]
            columns = [
                pa.array(ids[start : start + _ROWS], pa.string()),
                pa.FixedSizeListArray.from_arrays(part.reshape(-1), type=kind),
            ]
            if offsets is not None:
                columns.append(pa.array(offsets[start : start + _ROWS]))
            writer.write_table(pa.table(columns, schema))
