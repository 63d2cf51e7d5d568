"""Many runs: what they are, how they are chosen, and what carries them out."""

import pathlib

#: The committed configurations, and the record of their runs.
FOLDER = pathlib.Path(__file__).parents[2] / "run_configs"

#: Ends the name of a model's settings with options beyond the paper: "hyperml+".
BEYOND = "+"

#: Options beyond the paper, at the value that turns them off. An option left off
#: does not enter the hash, so a new one does not orphan older runs.
OFF: dict[str, object] = {
    "patience": 0,
    "loss": "hinge",
    "score": "distance",
    "origin_weight": 0.0,
    "negatives": 1,
    "negative_choice": "each",
    "item_bias": False,
    "learning_rate_decay": 1.0,
    "negative_sampler": "uniform",
    "norm_penalty": 0.0,
    "rescale": True,
}

# Endings of datasets whose held-out items are not the last in time.
_ORDERS = ("file_order", "shuffled")


def base_of(dataset: str) -> str:
    """`ml1m` of `ml1m-shuffled`, whose settings it has; else the dataset itself."""
    base, _, order = dataset.rpartition("-")
    known = order in _ORDERS and (FOLDER / f"{base}.py").exists()
    return base if known else dataset
