"""Maps a record to what models and options are called now; its figures stay.

python -m hyperml_tf.reproduction.rename_rows [FOLDER]

HyperTS with `score=product` is the model hyperbolic_mf now: its rows move there under
new hashes, `hyperts+` as the model's own. HyperML by SGD with the settings that a
dataset's file has for hyperml_sgd is that model. Other rows keep their hashes and lose
`score` and `origin_weight`, which are off in them. Figures are copied as text. A
record that is mapped already stays as it is.
"""

import csv
import io
import json
import pathlib
import sys
from collections.abc import Callable

from hyperml_tf.reproduction import FOLDER

_OLD, _NEW = "hyperts", "hyperbolic_mf"
_BY_SGD = "hyperml_sgd"
#: The options by which HyperTS had the product score, which are none of the model's.
_PRODUCT = {
    "score": "product",
    "loss": "softplus",
    "margin": 0.0,
    "distortion_weight": 0.0,
}

Row = dict[str, str]


def results(rows: list[Row], fingerprints: dict[str, str]) -> dict[str, tuple]:
    """Renames rows of `results.csv` in place.

    Returns:
        Old hash -> new hash and label, of those that changed.

    Raises:
        ConfigError: a row whose settings and data do not give its hash.
    """
    from hyperml_tf.training import configuration as configs

    moved = {}
    for row in rows:
        settings = json.loads(row["config"])
        if settings.get("score") == _PRODUCT["score"] and row["model"] == _OLD:
            settings = _without_product(settings) | {"model": _NEW}
            departures = configs.parse_variant(row["variant"])["departures"]
            row |= {"model": _NEW, "variant": configs.variant(False, departures)}
        if _is_by_sgd(row, settings):
            settings |= {"model": _BY_SGD}
            row |= {"model": _BY_SGD, "variant": ""}
        config = configs.recorded(settings, row["variant"])
        known = fingerprints.get(row["dataset"])
        digest = configs.config_hash(config, known) if known else row["config_hash"]
        if row["model"] in (_NEW, _BY_SGD) and digest != row["config_hash"]:
            label = f"{row['model']} {row['variant']}".strip()
            moved[row["config_hash"]] = digest, label
        elif digest != row["config_hash"]:
            raise configs.ConfigError(
                f"{row['dataset']}/{row['model']} {row['config_hash']}: settings and "
                f"data give {digest}; is the fingerprint of the data right?"
            )
        identity = dict(sorted(config.identity.items()))
        row["config_hash"] = digest
        row["config"] = json.dumps(identity, separators=(",", ":"))
    rows.sort(key=lambda r: (*(r[k] for k in _KEY), int(r["seed"])))
    return moved


def _is_by_sgd(row: Row, settings: dict) -> bool:
    from hyperml_tf.reproduction import config_files
    from hyperml_tf.training import configuration as configs

    if row["model"] != "hyperml" or settings.get("optimizer") != "sgd":
        return False
    chosen = configs.resolve(config_files.load(row["dataset"], _BY_SGD))
    its = configs.recorded(settings | {"model": _BY_SGD})
    # By hashes: what is off in both may be left out in one.
    return configs.config_hash(its, "") == configs.config_hash(chosen, "")


_KEY = ("dataset", "model", "config_hash")


def comparisons(rows: list[Row], moved: dict[str, tuple]) -> None:
    """Renames rows of `significance.csv` in place."""
    for row in rows:
        sides = zip(row["configs"].split(), row["pair"].split(" - "), strict=True)
        both = [moved.get(digest, (digest, label)) for digest, label in sides]
        row["configs"] = " ".join(digest for digest, _ in both)
        row["pair"] = " - ".join(label for _, label in both)
    rows.sort(key=lambda r: (r["question"], r["dataset"], r["metric"], r["configs"]))


def searches(rows: list[Row]) -> None:
    """Renames rows of `searches.csv` in place."""
    for row in rows:
        overrides = json.loads(row["overrides"])
        if overrides.get("score") == _PRODUCT["score"]:
            row |= {"model": _NEW, "overrides": json.dumps(_without_product(overrides))}
    rows.sort(key=lambda r: (r["dataset"], r["model"], int(r["place"])))


def _without_product(settings: dict) -> dict:
    if any(settings.get(name) != value for name, value in _PRODUCT.items()):
        raise ValueError(f"no model has this product's loss: {settings}")
    return {name: v for name, v in settings.items() if name not in _PRODUCT}


def _rewrite(path: pathlib.Path, rename: Callable[[list[Row]], object]) -> None:
    with open(path, newline="") as file:
        table = csv.DictReader(file)
        rows, columns = list(table), table.fieldnames or []
    rename(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue())


def main(folder: pathlib.Path) -> None:
    """Rewrites the three tables of a folder."""
    moved: dict[str, tuple] = {}
    prints = json.loads((folder / "fingerprints.json").read_text())
    _rewrite(folder / "results.csv", lambda rows: moved.update(results(rows, prints)))
    _rewrite(folder / "significance.csv", lambda rows: comparisons(rows, moved))
    _rewrite(folder / "searches.csv", searches)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
