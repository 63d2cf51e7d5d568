"""The end of a run: the test items are scored once, at the selected epoch.

A run on all data has none: its `metrics.json` holds no metric, and it no ranks.
"""

import io
import time
from typing import Any

import numpy as np
from absl import logging

from hyperml_tf import runtime
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.evaluation import protocol
from hyperml_tf.evaluation.metrics import coverage, novelty
from hyperml_tf.files import replacing
from hyperml_tf.models.base import Recommender
from hyperml_tf.training.checkpoints import Standing
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.tensorboard import Board, write_projector

#: How many items a user is shown, of whom coverage and novelty tell.
_SHOWN = 10


def score(
    run: Run,
    model: Recommender,
    interactions: Interactions,
    standing: Standing,
    board: Board,
) -> dict[str, Any]:
    """Writes what a finished run holds, `metrics.json` last, and returns that.

    Args:
        run: where to write.
        model: with the weights of the best epoch.
        interactions: the prepared dataset.
        standing: of the run, at its end.
        board: TensorBoard's files.

    Raises:
        OSError: a file cannot be written.
    """
    metrics: dict[str, Any] = {
        "best_epoch": int(standing.best_epoch),
        "epochs": int(standing.epoch),
        "seconds": float(standing.seconds),
    }
    write_projector(run, interactions, model)
    if model.row_tables():
        run.write_ids(users=interactions.user_ids, items=interactions.item_ids)
    if not interactions.num_held_out:
        run.write_json("metrics.json", metrics)
        logging.info(
            "%s: trained on all %s interactions to epoch %d; none is held out to test",
            *(run.folder, f"{len(interactions.train_user):,}", metrics["epochs"]),
        )
        return metrics
    begin = time.monotonic()
    test = protocol.sampled(model, interactions, "test")
    test_full, found = in_catalogue(model, interactions, "test")
    metrics |= {
        "valid": protocol.sampled(model, interactions, "valid").summary(),
        "valid_full": protocol.full(model, interactions, "valid").summary(),
        "test": test.summary(),
        "test_full": found,
        "evaluation_seconds": time.monotonic() - begin,
        "peak_memory_mb": runtime.peak_memory_mb(),
    }
    board.write_selected(metrics)
    _save_array(run, "test_ranks.npy", test.ranks)
    _save_array(run, "test_full_ranks.npy", test_full.ranks)
    run.write_json("metrics.json", metrics)
    logging.info(
        "%s: test nDCG@10 %.4f HR@10 %.4f (best epoch %d)",
        run.folder,
        metrics["test"].get("ndcg10", float("nan")),
        metrics["test"].get("hr10", float("nan")),
        metrics["best_epoch"],
    )
    return metrics


def in_catalogue(
    model: Recommender, data: Interactions, split: str
) -> tuple[protocol.Ranking, dict[str, float]]:
    """The full ranking of a split, and its metrics, those beside the paper's too."""
    ranking = protocol.full(model, data, split, show=_SHOWN)
    assert ranking.shown is not None
    return ranking, {
        **ranking.summary(),
        **ranking.of_sets(),
        "coverage10": coverage(ranking.shown, data.num_items),
        "novelty10": novelty(ranking.shown, data.train_item, data.num_users),
    }


def _save_array(run: Run, name: str, array: np.ndarray) -> None:
    content = io.BytesIO()  # straight into a file, a full disk has no name
    np.save(content, array.astype(np.float32), allow_pickle=False)
    with replacing(run.folder / name) as file:
        file.write(content.getvalue())
