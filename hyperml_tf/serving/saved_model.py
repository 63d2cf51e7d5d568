"""Writes a trained model as a SavedModel folder that TensorFlow alone serves.

Beside what TensorFlow writes, the folder holds `export.json` (what was exported),
`users.parquet` (the raw ids of all users) and, where the dataset has titles,
`items.csv`.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from hyperml_tf import files
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.models import Recommender
from hyperml_tf.serving.approximate import ScannIndex
from hyperml_tf.serving.catalogue import Catalogue
from hyperml_tf.serving.exact import ExactIndex
from hyperml_tf.serving.exported import ITEMS, RECORD, USERS
from hyperml_tf.serving.rankers import PointRanker, ScoreRanker
from hyperml_tf.serving.service import Service, known_items

#: "exact" proves its order; "scann" may miss items, and needs scann to load.
INDEXES = ("exact", "scann")


def export(
    model: Recommender,
    interactions: Interactions,
    output: str | pathlib.Path,
    index: str = "exact",
    record: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes `model` to the folder `output`, whole or not at all.

    Args:
        model: a trained model.
        interactions: the dataset it was trained on.
        output: new, or a former export, which is replaced.
        index: one of `INDEXES`.
        record: where the model comes from; kept in `export.json`.

    Returns:
        What `export.json` holds.

    Raises:
        InputError: `output` is something else, the model has no such index, the
            dataset is of another size than the model or holds users out whole, or a
            weight is not finite.
    """
    if index not in INDEXES:
        raise InputError(f"index {index!r} is not known; one of: {', '.join(INDEXES)}")
    if len(interactions.history_user):
        raise InputError(
            f"{interactions.name} holds users out whole, who would be served by rows "
            "that nothing trained; export a model of all data: train --all_data"
        )
    model.check_sizes(interactions)
    model.check_finite()
    # Variables lie where the functions run, also once loaded; see `service`.
    with tf.device("/CPU:0"):
        ranker, described = _ranker(model, interactions, index)
        service = Service(interactions, ranker, bool(model.folds_in_by))
        signatures = service.signatures()
    origin = {"dataset": interactions.name, "model": type(model).__name__}
    record = {
        **origin,
        **(record or {}),
        "held_out_interactions": interactions.num_held_out,
        "index": described,
        "items": interactions.num_items,
        "new_users": model.folds_in_by or "none: this model needs users in training",
        "signatures": sorted(signatures),
        "tensorflow": tf.__version__,
        "training_interactions": len(interactions.train_user),
        "users": interactions.num_users,
    }
    options = tf.saved_model.SaveOptions(
        namespace_whitelist=["Scann"],
        experimental_variable_policy=tf.saved_model.experimental.VariablePolicy.SAVE_VARIABLE_DEVICES,
    )
    output = pathlib.Path(output)
    _refuse_what_is_no_export(output)
    with files.replacing_folder(output) as folder:
        tf.saved_model.save(service, str(folder), signatures, options)
        users = pa.array(interactions.user_ids, pa.string())
        pq.write_table(pa.table({"id": users}), folder / USERS)
        if interactions.items is not None:
            interactions.items.to_csv(folder / ITEMS, index=False, lineterminator="\n")
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8")
    return record


def _ranker(
    model: Recommender, interactions: Interactions, index: str
) -> tuple[PointRanker | ScoreRanker, str]:
    """The ranker of a model, and which index it has, if any."""
    points = model.retrieval_points()
    if points is None:
        none = (
            "none: this model's scores are neither distances nor products of vectors, "
            "so it scores every item"
        )
        if index != "exact":
            raise InputError(f"--index={index}: {none}; leave --index out")
        return ScoreRanker(model), none
    catalogue = Catalogue(points.measure, points.items)
    if index == "exact":
        exact = ExactIndex(catalogue, points.users)
        return PointRanker(points.users, exact, points.fold_in), index
    excluded = int(np.quantile(np.diff(known_items(interactions).splits), 0.99))
    try:
        scann = ScannIndex(catalogue, points.users, excluded)
    except ImportError:
        raise InputError(
            "--index=scann needs the package scann (Linux only): pip install scann, "
            "or choose --index=exact"
        ) from None
    return PointRanker(points.users, scann, points.fold_in), index


def _refuse_what_is_no_export(output: pathlib.Path) -> None:
    if output.exists() and not (output / RECORD).exists():
        if not output.is_dir() or any(output.iterdir()):
            raise InputError(
                f"{output} exists and is not an export of hyperml_tf; name another "
                "--output, or remove it"
            )
