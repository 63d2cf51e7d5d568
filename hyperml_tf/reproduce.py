r"""Reproduces the paper on whatever data is there: prepare, train, tabulate, draw.

./run_all.sh                                 all ten datasets, committed settings
./run_all.sh demo                            MovieLens 100K, then serves it
./run_all.sh test                            the checks and the test suite
./run_all.sh --datasets=ml1m,games --models=hyperml,cml --seeds=5 --jobs=2 \
    --table=games=FILE --items=ml1m=FILE
"""

from absl import flags

from hyperml_tf import command_line

_DATASETS = flags.DEFINE_list(
    "datasets", None, "These datasets are run; the default is all ten."
)
_MODELS = flags.DEFINE_list("models", None, "These models are run; the default is all.")
_SEEDS, _EPOCHS, _EVAL_EVERY = command_line.define_repetitions()
_SEARCH = flags.DEFINE_bool(
    "search", False, "Settings are first searched on validation."
)
_BUDGET = flags.DEFINE_string(
    "budget", "12", "A search tries this many settings; full tries all."
)
_SWEEPS = flags.DEFINE_bool("sweeps", True, "Table 4 and Fig. 4 are run too.")
_TABLE = flags.DEFINE_multi_string(
    "table", [], "KEY=FILE prepares a dataset from a table."
)
_ITEMS = flags.DEFINE_multi_string("items", [], "KEY=FILE gives titles and genres.")
_RAW_DIR = flags.DEFINE_string(
    "raw_dir", "raw", "The publishers' files are kept in this folder."
)
_MIRROR = flags.DEFINE_string(
    "mirror", None, "Files are downloaded from this URL instead."
)
_ALLOW = flags.DEFINE_bool(
    "allow_count_mismatch",
    False,
    "Counts may differ from the publisher's.",
)
_OUTPUT = flags.DEFINE_string(
    "output", "report", "The report is written to this folder."
)
_DATA_DIR, _RUNS_DIR = command_line.define_execution()


def main(word: str | None = None) -> int:
    """Does what `word` asks for: the demo, the tests, or the paper."""
    from hyperml_tf.errors import InputError
    from hyperml_tf.reproduction import pipeline

    if word == "test":
        return pipeline.test()
    if word == "demo" and _MODELS.value and "hyperml" not in _MODELS.value:
        raise InputError("demo serves HyperML at its end: add hyperml to --models")
    folders = pipeline.Folders(
        data=_DATA_DIR.value, runs=_RUNS_DIR.value, report=_OUTPUT.value
    )
    request = pipeline.Request(
        datasets=_DATASETS.value or pipeline.default_datasets(word),
        models=_MODELS.value or pipeline.default_models(word),
        seeds=_SEEDS.value,
        search=_BUDGET.value if _SEARCH.value else None,
        sweeps=_SWEEPS.value,
        executor=command_line.executor(),
        overrides={
            name: value
            for name, value in (
                ("epochs", _EPOCHS.value),
                ("eval_every", _EVAL_EVERY.value),
            )
            if value is not None
        },
        tables=pipeline.by_dataset("--table", _TABLE.value),
        items=pipeline.by_dataset("--items", _ITEMS.value),
        raw_dir=_RAW_DIR.value,
        mirror=_MIRROR.value,
        allow_count_mismatch=_ALLOW.value,
    )
    code = pipeline.reproduce(request, folders)
    if word == "demo" and code == 0:
        pipeline.serve(request, folders)
    return code


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__, words=("demo", "test"))


if __name__ == "__main__":
    run()
