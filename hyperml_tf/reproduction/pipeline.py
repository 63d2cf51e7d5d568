"""From data to report: what `./run_all.sh` does, one step after the other.

Every step is one of the project's own commands, run as a process of its own, so a
user can run any of them alone.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

from absl import logging

from hyperml_tf.data import prepared
from hyperml_tf.data.prepared import DataError
from hyperml_tf.errors import InputError
from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import config_files, executors, record, schedule
from hyperml_tf.training.configuration import Name
from hyperml_tf.training.run_folder import Run

_SKIPPED = 3  # exit code: a dataset's files are not there
_DEMO_DATASET = "ml100k"
_DEMO_MODELS = ("hyperml", "hyperts", "cml", "mf_bpr", "popularity")
#: The paper's sweeps, Table 4 and Fig. 4: model, option, datasets, values.
_SWEEPS: tuple[tuple[str, str, tuple[str, ...], tuple[float, ...]], ...] = (
    ("hyperml", "c", ("goodbooks", "games"), (0.5, 1.0, 2.0, 4.0, 8.0)),
    (
        *("hyperml", "distortion_weight", ("meetup", "automotive")),
        DEFINITIONS["hyperml"].grid["distortion_weight"],
    ),
)
_ROOT = pathlib.Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Folders:
    """Where prepared data, runs and the report go."""

    data: str
    runs: str
    report: str


@dataclasses.dataclass(frozen=True)
class Request:
    """What to reproduce, and from which files.

    Attributes:
        datasets: keys.
        models: keys; None for all, and for settings beyond the paper.
        seeds: runs of each configuration.
        search: budget of a search before, or None for the committed settings.
        sweeps: whether to run Table 4 and Fig. 4 too, for their datasets.
        executor: what runs the runs.
        overrides: fields to set in every config.
        tables: dataset -> file to prepare it from.
        items: dataset -> file of titles and genres.
        raw_dir: publishers' files.
        mirror: URL to download from instead.
        allow_count_mismatch: go on although counts differ.
    """

    datasets: Sequence[str]
    models: Sequence[str] | None
    seeds: int
    search: str | None
    sweeps: bool
    executor: executors.Executor
    overrides: Mapping[str, object]
    tables: Mapping[str, str]
    items: Mapping[str, str]
    raw_dir: str
    mirror: str | None
    allow_count_mismatch: bool


def default_datasets(word: str | None) -> tuple[str, ...]:
    """The paper's ten, or the demo's."""
    return (_DEMO_DATASET,) if word == "demo" else config_files.PAPER_DATASETS


def default_models(word: str | None) -> tuple[str, ...] | None:
    """The demo's, or None: all."""
    return _DEMO_MODELS if word == "demo" else None


def by_dataset(flag: str, values: Sequence[str]) -> dict[str, str]:
    """{"games": "toys.csv"} from ["games=toys.csv"].

    Raises:
        InputError: a value is not KEY=FILE.
    """
    pairs = [value.partition("=") for value in values]
    for key, _, file in pairs:
        if not key or not file:
            raise InputError(f"{flag}={key} must be {flag}=KEY=FILE")
    return {key: file for key, _, file in pairs}


def reproduce(request: Request, folders: Folders) -> int:
    """Prepares, trains and reports; returns the exit code.

    A dataset whose files are not there is skipped and named at the end, with exit
    code 3; a run that fails does not stop the others, and gives 1.

    Raises:
        InputError: a table is given for a dataset that is not asked for, or a dataset
            cannot be prepared.
    """
    for flag, files in (("--table", request.tables), ("--items", request.items)):
        for dataset in files.keys() - set(request.datasets):
            raise InputError(
                f"{flag}={dataset}=… is for none of the datasets asked for; add "
                f"{dataset} to --datasets"
            )
    outcome = {d: _prepare(d, request, folders) for d in request.datasets}
    bad = [d for d, code in outcome.items() if code not in (0, _SKIPPED)]
    if bad:
        raise InputError(f"could not prepare {', '.join(bad)}; the reason stands above")
    ready = [dataset for dataset, code in outcome.items() if code == 0]
    skipped = [dataset for dataset in outcome if dataset not in ready]
    failed: list[schedule.Task] = []
    if ready:
        failed = _train(ready, request, folders)
        command = ["hyperml_tf.report", f"--runs_dir={folders.runs}"]
        command += [f"--data_dir={folders.data}", f"--output={folders.report}"]
        if _run(command):
            raise InputError("the report failed; the reason stands above")
    for task in failed:
        logging.error("failed: %s (see %s/log.txt)", task.name, task.run.folder)
    for dataset in skipped:
        logging.warning("skipped: %s (its files are not there; see above)", dataset)
    return 1 if failed else _SKIPPED if skipped else 0


def serve(request: Request, folders: Folders) -> None:
    """Exports the HyperML run of seed 0 and recommends for one user."""
    dataset = request.datasets[0]
    overrides = dict(request.overrides)
    if request.search:
        found = _found_by_search(dataset, "hyperml", folders).read_text(
            encoding="utf-8"
        )
        overrides = json.loads(found) | overrides
    tasks = schedule.plan(
        [dataset], ["hyperml"], [0], folders.data, folders.runs, overrides
    )
    output = f"export/{dataset}"
    export = ["hyperml_tf.export", f"--run={tasks[0].run.folder}"]
    export += [f"--data_dir={folders.data}", f"--output={output}"]
    path = pathlib.Path(folders.data) / dataset / "user_ids.txt"
    with open(path, encoding="utf-8") as ids:
        user = ids.readline().rstrip("\n")
    ask = ["hyperml_tf.recommend", f"--model={output}", f"--user={user}", "--k=10"]
    if _run(export) or _run(ask):
        raise InputError("serving failed; the reason stands above")


def test() -> int:
    """Lint, types and the test suite; the exit code of the first that fails."""
    for command in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        # In the order of their names: files of few and long tests are not left to the
        # end, when one worker waits for the other.
        ["pytest", "--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder"],
    ):
        code = subprocess.run([sys.executable, "-m", *command], cwd=_ROOT).returncode
        if code:
            return code
    return 0


def _prepare(dataset: str, request: Request, folders: Folders) -> int:
    table = _table_of(dataset, folders)
    if table and dataset not in (*request.tables, *request.items):
        logging.info(
            "%s: as it was prepared from %s; --table=%s=FILE prepares it anew",
            dataset,
            table,
            dataset,
        )
        return 0
    command = ["data_prep.prepare", f"--dataset={dataset}"]
    command += [f"--data_dir={folders.data}", f"--raw_dir={request.raw_dir}"]
    if dataset in request.tables:
        command.append(f"--table={request.tables[dataset]}")
    if dataset in request.items:
        command.append(f"--items={request.items[dataset]}")
    if request.mirror:
        command.append(f"--mirror={request.mirror}")
    if request.allow_count_mismatch:
        command.append("--allow_count_mismatch")
    return _run(command)


def _table_of(dataset: str, folders: Folders) -> str | None:
    """The table that a dataset was prepared from, with columns that only it knows."""
    try:
        folder = pathlib.Path(folders.data, dataset)
        source = prepared.read_stats(folder)["source"]
    except DataError:
        return None
    return source["path"] if source["kind"] == "table" else None


def _train(
    datasets: Sequence[str], request: Request, folders: Folders
) -> list[schedule.Task]:
    tasks: dict[Run, schedule.Task] = {}

    def add(dataset: str, model: str | Name, overrides, sweep=({},)) -> None:
        planned = schedule.plan(
            datasets=[dataset],
            models=[model],
            seeds=range(request.seeds),
            data_dir=folders.data,
            runs_dir=folders.runs,
            overrides=overrides,
            sweep=sweep,
        )
        for task in planned:
            tasks.setdefault(task.run, task)

    for dataset in datasets:
        for model in request.models or _every_model(dataset):
            found = _search(dataset, model, request, folders) if request.search else {}
            overrides = {**found, **request.overrides}
            add(dataset, model, overrides)
            for of, field, swept, values in _SWEEPS if request.sweeps else ():
                if str(model) == of and dataset in swept:
                    add(dataset, model, overrides, [{field: v} for v in values])
    in_order = sorted(tasks.values(), key=lambda task: task.run.seed)
    waiting = [task for task in in_order if not task.done]
    logging.info("%s", record.estimate(waiting, request.executor.jobs))
    return request.executor.execute(in_order)


def _every_model(dataset: str) -> list[Name]:
    """All models that are not only part of another, and settings beyond the paper."""
    parts = {part.key for model in DEFINITIONS.values() for part in model.parts}
    parts -= {key for key, model in DEFINITIONS.items() if model.table}
    own = [Name(model) for model in DEFINITIONS if model not in parts]
    return own + config_files.beyond(dataset)


def _search(
    dataset: str, model: str | Name, request: Request, folders: Folders
) -> dict[str, object]:
    """Settings chosen on validation; {} for a model with nothing to search."""
    if not DEFINITIONS[config_files.load(dataset, model).model].grid:
        return {}
    output = _found_by_search(dataset, model, folders)
    output.parent.mkdir(parents=True, exist_ok=True)
    command = ["hyperml_tf.search", f"--config={config_files.path_of(dataset)}:{model}"]
    command += [f"--config.dataset={dataset}", f"--budget={request.search}"]
    command += [f"--config.{field}={v}" for field, v in request.overrides.items()]
    command += [f"--data_dir={folders.data}", f"--runs_dir={folders.runs}"]
    executor = request.executor
    command += [f"--executor={executor.kind}", f"--jobs={executor.jobs}"]
    options = executor.options
    command += [f"--threads={options.threads}", f"--kernel={options.kernel}"]
    command += ["--op_determinism"] if options.op_determinism else []
    command.append(f"--output={output}")
    if _run(command):
        raise InputError(f"the search of {dataset}/{model} failed; see above")
    return json.loads(output.read_text(encoding="utf-8"))


def _found_by_search(dataset: str, model: str | Name, folders: Folders) -> pathlib.Path:
    return pathlib.Path(folders.runs) / dataset / f"search-{model}.json"


def _run(command: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", *command]).returncode
