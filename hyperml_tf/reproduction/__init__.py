"""Many runs: what they are, how they are chosen, and what carries them out."""

import pathlib

_PACKAGE = pathlib.Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "run_configs"
#: The committed configurations and the record of their runs: in the package where it
#: was installed from a wheel, beside it in a checkout.
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "run_configs"

# Endings of datasets of which other items are held out.
_ORDERS = ("file_order", "shuffled", "random_ties")


def base_of(dataset: str) -> str:
    """`ml1m` of `ml1m-shuffled`, whose settings it has; else the dataset itself."""
    base, _, order = dataset.rpartition("-")
    known = order in _ORDERS and (FOLDER / f"{base}.py").exists()
    return base if known else dataset
