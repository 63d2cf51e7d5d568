"""README and RESULTS.md hold what the committed record says, and nothing else."""

import pathlib

import pytest

from hyperml_tf.reproduction import base_of, config_files, record
from hyperml_tf.reproduction.reporting import compose, documents

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generated():
    return compose.recorded_tables(record.RECORD)


def test_readme_holds_the_records_table(generated):
    tables, absent = generated
    text = (ROOT / "README.md").read_text()
    assert documents.readme(text, tables, absent) == text


def test_results_md_is_the_records(generated):
    tables, absent = generated
    text = (ROOT / "RESULTS.md").read_text()
    assert documents.results_md(list(tables.values()), absent) == text


def test_every_recorded_run_names_a_committed_config_file():
    rows = record.read()
    assert len(rows)
    bases = {base_of(dataset) for dataset in rows["dataset"]}
    assert bases <= {path.stem for path in config_files.FOLDER.glob("*.py")}
