"""Searches settings on validation, and prints what to commit.

python -m hyperml_tf.search --config=run_configs/games.py:cml --budget=12 --jobs=2

Successive halving over random points of the paper's grid, to which dropout, L2 and
depth are added where a model has them; --budget=full trains all of it.
An interrupted search goes on where it was. Other values, or fields beyond the paper:
--space=negatives:1,3,10 --space=learning_rate:0.001,0.0003
"""

import json
import pathlib

from absl import flags
from ml_collections import config_flags

from hyperml_tf import command_line

FLAGS = flags.FLAGS
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "FILE[:MODEL] is searched; --config.FIELD=… fixes a field."
)
_BUDGET = flags.DEFINE_string(
    "budget", "12", "This many settings are tried; `full` tries all."
)
_SPACE = flags.DEFINE_multi_string(
    "space", [], "FIELD:VALUE,VALUE,… is tried instead of the grid's values."
)
_SEED = flags.DEFINE_integer("seed", 0, "All runs use this seed.", 0)
_OUTPUT = flags.DEFINE_string(
    "output", None, "The best settings are written here, as JSON."
)
_RECORD = flags.DEFINE_string(
    "record",
    None,
    "Candidates are added to this table (run_configs/searches.csv).",
)
_RECORD_AS = flags.DEFINE_string(
    "record_as",
    None,
    "The table gives them this name, such as `hyperml+`.",
)
_DATA_DIR, _RUNS_DIR = command_line.define_execution()


def main() -> None:
    """Runs the search and prints the candidates, best first."""
    from hyperml_tf.data import prepared
    from hyperml_tf.errors import InputError
    from hyperml_tf.files import write_atomically
    from hyperml_tf.reproduction import config_files, halving, schedule, searches
    from hyperml_tf.training import configuration as configs

    if _CONFIG.value is None:
        raise InputError("--config=run_configs/DATASET.py[:MODEL] is missing")
    if _BUDGET.value != "full" and not _BUDGET.value.isdigit():
        raise InputError(f"--budget={_BUDGET.value} must be a number, or `full`")
    config = _CONFIG.value
    configs.resolve(config)
    fixed = config_flags.get_override_values(FLAGS["config"])
    data = prepared.load(config.dataset, _DATA_DIR.value)
    executor = command_line.executor()
    budget = None if _BUDGET.value == "full" else int(_BUDGET.value)
    space = dict(schedule.parse_values(text, "space") for text in _SPACE.value)
    found = halving.search(config, data, budget, _SEED.value, executor, fixed, space)
    select_by = config.get("select_by", "ndcg10")
    ranking = " in the full catalogue" if select_by == "full_ndcg10" else ""
    print(f"{config.dataset}/{config.model}, validation nDCG@10{ranking}:")
    for candidate in found:
        reached = f"{100 * candidate.valid_ndcg10:.2f} % by epoch {candidate.epochs}"
        print(f"  {reached}  {dict(candidate.overrides)}")
    if _RECORD.value:
        name = _RECORD_AS.value or config.model
        searches.add(
            pathlib.Path(_RECORD.value), config.dataset, name, found, select_by
        )
    if _OUTPUT.value:
        best = json.dumps(dict(found[0].overrides), indent=1) + "\n"
        write_atomically(pathlib.Path(_OUTPUT.value), best)
    changed = halving.departures(found[0].overrides, config)
    path = config_files.path_of(config.dataset)
    if path == config_files.OWN_TABLE:
        print("to train with the best settings:")
        flags_of = halving.as_flags({"dataset": config.dataset} | changed)
        name = f"--config=run_configs/{path.name}:{configs.name_of(config)}"
        lines = [" ".join(["python -m hyperml_tf.train", name, *flags_of])]
    else:
        print(f"to commit, in {path.name}:")
        lines = halving.as_file(changed) or ["(nothing changed)"]
    for line in lines:
        print(f"    {line}")


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
