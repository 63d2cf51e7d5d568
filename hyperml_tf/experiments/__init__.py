"""Many runs: what they are, how they are chosen, and what carries them out."""

#: Ends the name of a model's settings with options beyond the paper: "hyperml+".
BEYOND = "+"

#: Options beyond the paper, at the value that turns them off. An option left off
#: does not enter the hash, so a new one does not orphan older runs.
OFF: dict[str, object] = {
    "patience": 0,
    "loss": "hinge",
    "negatives": 1,
    "negative_choice": "each",
    "item_bias": False,
    "learning_rate_decay": 1.0,
    "negative_sampler": "uniform",
    "norm_penalty": 0.0,
    "rescale": True,
}

#: Endings of datasets whose held-out items are not the last in time.
ORDERS = ("file_order", "shuffled")


def base_of(dataset: str) -> str:
    """`ml1m` of `ml1m-shuffled`, whose settings and paper's numbers it has."""
    base, _, order = dataset.rpartition("-")
    return base if order in ORDERS else dataset
