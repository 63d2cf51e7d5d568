"""Writes a trained model as a SavedModel folder that TensorFlow alone serves.

Beside what TensorFlow writes, the folder holds `export.json` (what was exported) and,
where the dataset has titles, `items.csv`.
"""

import json
import pathlib
import shutil

import numpy as np
import tensorflow as tf

from hyperml_tf import files
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.models import Recommender
from hyperml_tf.serving.approximate import ScannIndex
from hyperml_tf.serving.catalogue import Catalogue
from hyperml_tf.serving.exact import ExactIndex
from hyperml_tf.serving.rankers import PointRanker, ScoreRanker
from hyperml_tf.serving.service import Service, known_items
from hyperml_tf.serving.space import points_of

#: What makes a folder one of ours.
RECORD = "export.json"

#: "exact" proves its order; "scann" may miss items, and needs scann to load.
INDEXES = ("exact", "scann")


def export(
    model: Recommender,
    interactions: Interactions,
    record: dict,
    output: str | pathlib.Path,
    index: str = "exact",
) -> dict:
    """Writes `model` to the folder `output`, whole or not at all.

    Args:
        model: a trained model.
        interactions: the dataset it was trained on.
        record: where it comes from; kept in `export.json`.
        output: new, or a former export, which is replaced.
        index: one of `INDEXES`.

    Returns:
        What `export.json` holds.

    Raises:
        InputError: `output` is something else, or the model has no such index.
    """
    # Variables lie where the functions run, also once loaded; see `service`.
    with tf.device("/CPU:0"):
        ranker, described = _ranker(model, interactions, index)
        service = Service(interactions, ranker)
        signatures = service.signatures()
    record = record | {
        "index": described,
        "items": interactions.num_items,
        "signatures": sorted(signatures),
        "tensorflow": tf.__version__,
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
        titles = interactions.folder / "items.csv"
        if titles.exists():
            shutil.copyfile(titles, folder / titles.name)
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8")
    return record


def _ranker(
    model: Recommender, interactions: Interactions, index: str
) -> tuple[PointRanker | ScoreRanker, str]:
    """The ranker of a model, and which index it has, if any."""
    points = points_of(model)
    if points is None:
        none = "none: this model has no dot-product form, so it scores every item"
        if model.item_biases is not None:
            none = "none: a model with item biases scores every item"
        if index != "exact":
            raise InputError(f"--index={index}: {none}; leave --index out")
        return ScoreRanker(model), none
    catalogue = Catalogue(points.space, points.items)
    if index == "exact":
        return PointRanker(points.users, ExactIndex(catalogue, points.users)), index
    excluded = int(np.quantile(np.diff(known_items(interactions).splits), 0.99))
    try:
        scann = ScannIndex(catalogue, points.users, excluded)
    except ImportError:
        raise InputError(
            "--index=scann needs the package scann (Linux only): pip install scann, "
            "or choose --index=exact"
        ) from None
    return PointRanker(points.users, scann), index


def _refuse_what_is_no_export(output: pathlib.Path) -> None:
    if output.exists() and not (output / RECORD).exists():
        if not output.is_dir() or any(output.iterdir()):
            raise InputError(
                f"{output} exists and is not an export of hyperml_tf; name another "
                "--output, or remove it"
            )
