"""Measures speed and memory; JSON lines on stdout, progress on stderr.

python -m hyperml_tf.benchmark --rows=10000,31000,140000,1000000 --threads=1

What is measured, each in a process of its own so that `peak_rss_mb` is its own:
training, one model at a time (`fit/…` with sampling, `step/…` on ready-made triplets,
every kernel), `shared_products` (the matrix products alone of a softmax step),
`retrieval_task` (a softmax step of TensorFlow Recommenders), `pipeline`, `ranking`,
`retrieval` (by distance), `retrieval_product` (by the score of Hyperbolic MF),
`latency`, `preparation`, `export`, `documents`; and where --run names a finished run,
`exactness`, its exact retrieval against the sort of all scores, and `retrieval_run`.
`--only=cost` says what the finished runs of --runs_dir took.
"""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable

from absl import flags

from hyperml_tf import command_line, runtime
from hyperml_tf.errors import InputError

_ROWS = flags.DEFINE_list(
    "rows", ["31000"], "Tables have this many rows, 3/5 of them users."
)
_DIM = flags.DEFINE_integer("dim", 64, "A point has this many coordinates.", 1)
_BATCH = flags.DEFINE_integer("batch", 512, "A step has this many positives.", 1)
_THREADS = flags.DEFINE_integer(
    "threads", 1, "TensorFlow uses this many threads; 0 means one per core.", 0
)
_DROPOUT = flags.DEFINE_float(
    "dropout", 0.0, "Training drops coordinates at this rate."
)
_ONLY = flags.DEFINE_list("only", [], "Only these names or models are measured.")
_RECORD = flags.DEFINE_string("record", None, "The lines are appended to this file.")
_RUN = flags.DEFINE_string(
    "run", None, "The retrieval of this finished run is measured."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", "data", "Prepared datasets are read from this folder."
)
_RUNS_DIR = flags.DEFINE_string(
    "runs_dir", "runs", "What the runs of this folder took is read."
)
_HERE = flags.DEFINE_string("here", None, "This one name is measured, in this process.")


def main() -> int:
    """Measures what was asked for; 1 if a measurement failed."""
    if not all(size.isdigit() and int(size) for size in _ROWS.value):
        raise InputError(f"--rows={','.join(_ROWS.value)} must be numbers of rows")
    rows = [int(size) for size in _ROWS.value]
    if _HERE.value:
        _measure(_HERE.value, rows[0])
        return 0
    failed = 0
    for size in rows:
        for name in _ONLY.value or _names():
            print(f"{name}, {size} rows …", file=sys.stderr, flush=True)
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "hyperml_tf.benchmark", f"--here={name}"),
                    *(f"--rows={size}", f"--dim={_DIM.value}"),
                    *(f"--batch={_BATCH.value}", f"--threads={_THREADS.value}"),
                    f"--dropout={_DROPOUT.value}",
                    *([f"--run={_RUN.value}"] if _RUN.value else []),
                    f"--data_dir={_DATA_DIR.value}",
                    f"--runs_dir={_RUNS_DIR.value}",
                ],
                stdout=subprocess.PIPE,
                text=True,
            )
            failed += done.returncode != 0
            print(done.stdout, end="", flush=True)
            if _RECORD.value:
                with open(_RECORD.value, "a", encoding="utf-8") as file:
                    file.write(done.stdout)
    return 1 if failed else 0


def _names() -> list[str]:
    from hyperml_tf.reproduction import speed

    return [
        *speed.TRAINED,
        "shared_products",
        "retrieval_task",
        "pipeline",
        "ranking",
        "retrieval",
        "retrieval_product",
        "latency",
        "preparation",
        "export",
        "documents",
        *(["exactness", "retrieval_run"] if _RUN.value else []),
    ]


def _measure(name: str, rows: int) -> None:
    from hyperml_tf.reproduction import costs, speed, speed_peers, speed_tasks
    from hyperml_tf.serving import measure
    from hyperml_tf.serving.saved_model import INDEXES
    from hyperml_tf.training import environment

    # stdout is for JSON alone; building the kernel has a line of its own.
    command_line.log_to(sys.stderr)
    runtime.use_machine(_THREADS.value, "auto")
    dim, batch = _DIM.value, _BATCH.value
    measures: dict[str, Callable[[], list[dict]]] = {
        **{
            key: functools.partial(
                speed.training, key, rows, dim, batch, _DROPOUT.value
            )
            for key in speed.TRAINED
        },
        "shared_products": lambda: speed.shared_products(rows, dim, batch),
        "retrieval_task": lambda: speed_peers.retrieval_task(rows, dim, batch),
        "pipeline": lambda: speed.pipeline(rows, dim, batch),
        "ranking": lambda: speed_tasks.ranking(rows, dim, batch),
        "retrieval": lambda: [measure.retrieval(rows, dim)],
        "retrieval_product": lambda: [measure.retrieval_by_product(rows, dim)],
        "latency": lambda: [measure.latency(rows, dim, index=i) for i in INDEXES],
        "preparation": lambda: speed_tasks.preparation(rows),
        "export": lambda: [measure.export(rows, dim, index=i) for i in INDEXES],
        "documents": lambda: speed_tasks.documents(rows),
        "exactness": lambda: [_of_run(measure.exactness)],
        "retrieval_run": lambda: [_of_run(measure.retrieval_of)],
        "cost": lambda: costs.of_runs(_RUNS_DIR.value),
    }
    if name not in measures:
        raise InputError(f"{name!r} is not measured; one of: {', '.join(measures)}")
    machine = environment.describe()
    kept = ("commit", "device", "processor")
    common = {
        "rows": rows,
        "dim": dim,
        "batch": batch,
        "threads": _THREADS.value or os.cpu_count(),
        "triplets_per_second": None,
        "ms_per_step": None,
    }
    for line in measures[name]():
        peak = runtime.peak_memory_mb()
        measured = {"name": name, **common, "peak_rss_mb": peak, **line}
        print(json.dumps(measured | {key: machine[key] for key in kept}), flush=True)


def _of_run(measured: Callable[..., dict]) -> dict:
    from hyperml_tf.training import finished

    config, data, run = finished.open_run(_RUN.value, _DATA_DIR.value)
    line = measured(finished.restored(config, data, run))
    return line | {"dataset": config.dataset, "run": run.config_hash, "seed": run.seed}


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
