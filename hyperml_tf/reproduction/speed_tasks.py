"""Speed of what is not training: preparation, ranking, documents.

Lines are as those of `speed`.
"""

import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import tensorflow as tf

from hyperml_tf import runtime
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.evaluation import protocol
from hyperml_tf.models import Recommender
from hyperml_tf.reproduction.speed import synthetic
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory


def preparation(rows: int) -> list[dict]:
    """`data_prep.prepare` on a table of ten interactions a user, times included."""
    data = synthetic(rows)
    order = np.random.default_rng(1).permutation(len(data.train_user))
    with tempfile.TemporaryDirectory() as folder:
        table = pathlib.Path(folder) / "table.csv"
        columns = {
            "user": data.train_user[order],
            "item": data.train_item[order],
            "timestamp": 1_000_000_000 + np.arange(len(order)),
        }
        pd.DataFrame(columns).to_csv(table, index=False)
        command = ["data_prep.prepare", "--dataset=synthetic", f"--table={table}"]
        begin, peak = time.perf_counter(), 0
        with subprocess.Popen(
            [sys.executable, "-m", *command, f"--data_dir={folder}/data"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while process.poll() is None:
                peak = max(peak, runtime.peak_memory_mb(process.pid) or 0)
                time.sleep(0.01)
        seconds = time.perf_counter() - begin
    if process.returncode:
        raise RuntimeError(f"data_prep.prepare ended with {process.returncode}")
    line = {"name": "preparation", "interactions": len(order)}
    return [{**line, "seconds": round(seconds, 2), "peak_rss_mb": peak}]


def documents(rows: int) -> list[dict]:
    """All documents of the repository, from the record."""
    from hyperml_tf.reproduction.reporting import documents, facts

    del rows
    begin = time.perf_counter()
    pages = documents.rendered(facts.Facts())
    seconds = round(time.perf_counter() - begin, 2)
    return [
        {"name": "documents", "rows": None, "pages": len(pages), "seconds": seconds}
    ]


def ranking(rows: int, dim: int, batch: int) -> list[dict]:
    """Both rankings of every user by HyperML, CML and MF-BPR.

    And, as `ranking/products`, the float32 products alone of all users and items: what
    the ranking in the full catalogue is to be held against.
    """
    del batch
    data = synthetic(rows)
    lines = [_all_products(data, dim)]
    for key in ("hyperml", "cml", "mf_bpr"):
        config = configs.for_model(key, "synthetic", training={"dim": dim})
        model = factory.build_model(configs.resolve(config), data, 0)
        for kind, rank in (("sampled", protocol.sampled), ("full", protocol.full)):
            seconds, cpu = _seconds(rank, model, data)
            lines.append(
                {
                    "name": f"ranking/{kind}/{key}",
                    "users": data.num_users,
                    "items": data.num_items,
                    "seconds": seconds,
                    "cpu_seconds": cpu,
                    "users_per_second": data.num_users / seconds,
                }
            )
    return lines


def _all_products(data: Interactions, dim: int) -> dict:
    rng = np.random.default_rng(0)
    sizes = (256, dim + 2), (data.num_items, dim + 2)  # a lift adds two coordinates
    users, items = (rng.normal(size=size).astype(np.float32) for size in sizes)
    multiply = tf.function(lambda u, v: tf.matmul(u, v, transpose_b=True))
    multiply(users, items)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(0, data.num_users, len(users)):
        multiply(users, items)
    return {
        "name": "ranking/products",
        "users": data.num_users,
        "items": data.num_items,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
    }


def _seconds(rank: Callable, model: Recommender, data: Interactions):
    wall, cpu = time.perf_counter(), time.process_time()
    rank(model, data, "test")
    return time.perf_counter() - wall, time.process_time() - cpu
