"""Many runs: what they are, how they are chosen, and what carries them out."""

import pathlib

#: The committed configurations, and the record of their runs.
FOLDER = pathlib.Path(__file__).parents[2] / "run_configs"

# Endings of datasets whose held-out items are not the last in time.
_ORDERS = ("file_order", "shuffled")


def base_of(dataset: str) -> str:
    """`ml1m` of `ml1m-shuffled`, whose settings it has; else the dataset itself."""
    base, _, order = dataset.rpartition("-")
    known = order in _ORDERS and (FOLDER / f"{base}.py").exists()
    return base if known else dataset
