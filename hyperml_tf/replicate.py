"""Repeats the committed configurations with several seeds, several runs at a time.

python -m hyperml_tf.replicate --datasets=games --models=hyperml,cml --seeds=5 --jobs=2

Finished runs are skipped, interrupted ones go on from their checkpoints. A sweep
over one field (Table 4, Fig. 4): --sweep=c:0.5,1,2,4,8
"""

from absl import flags

from hyperml_tf import command_line

_DATASETS = flags.DEFINE_list(
    "datasets", [], "These datasets, prepared in --data_dir, are run."
)
_MODELS = flags.DEFINE_list("models", ["hyperml"], "These models are run.")
_SEEDS, _EPOCHS, _EVAL_EVERY = command_line.define_repetitions()
_SWEEP = flags.DEFINE_string(
    "sweep", None, "FIELD:VALUE,VALUE,… runs a variant of every config for each value."
)
_DATA_DIR, _RUNS_DIR = command_line.define_execution()


def main() -> int:
    """Runs the schedule; 1 if a run failed."""
    from hyperml_tf.errors import InputError
    from hyperml_tf.reproduction import schedule

    if not _DATASETS.value:
        raise InputError("--datasets=KEY[,KEY] is missing")
    sweep = schedule.parse_sweep(_SWEEP.value) if _SWEEP.value else ({},)
    shortened = {"epochs": _EPOCHS.value, "eval_every": _EVAL_EVERY.value}
    tasks = schedule.plan(
        _DATASETS.value,
        _MODELS.value,
        range(_SEEDS.value),
        _DATA_DIR.value,
        _RUNS_DIR.value,
        {field: value for field, value in shortened.items() if value is not None},
        sweep,
    )
    executor = command_line.executor()
    return 1 if executor.execute(tasks) else 0


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
