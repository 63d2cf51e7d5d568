"""The record's rows are called by what their settings say, and their figures stay."""

import csv
import json

import pytest

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.reproduction import FOLDER, config_files, record, rename_rows
from hyperml_tf.reproduction.reporting.compose import SEARCHES, SIGNIFICANCE
from hyperml_tf.training import configuration as configs

#: Of the prepared data that the recorded runs were trained on (their stats.json).
#: Nobody noted how the rows of the shuffled datasets were shuffled.
UNKNOWN = {"games-shuffled", "ml1m-shuffled"}
FINGERPRINTS = json.loads((FOLDER / "fingerprints.json").read_text())


def rows_of(name):
    with open(FOLDER / name, newline="") as file:
        return list(csv.DictReader(file))


def test_every_recorded_configuration_gives_its_hash():
    rows = rows_of("results.csv")
    for row in rows:
        settings = json.loads(row["config"])
        config = configs.recorded(settings, row["variant"])
        assert (config.dataset, config.model) == (row["dataset"], row["model"])
        assert config.variant == row["variant"]
        data = FINGERPRINTS.get(row["dataset"], "unknown")
        digest = configs.config_hash(config, data)
        assert digest == row["config_hash"] or row["dataset"] in UNKNOWN
        # As it would be run today: an option added later, left off, orphans no run.
        again = configs.for_model(row["model"])
        again.update(settings)
        assert configs.config_hash(configs.resolve(again), data) == digest
    datasets = {row["dataset"] for row in rows}
    assert datasets == FINGERPRINTS.keys() | UNKNOWN
    assert len(rows) == len(record.read()) > 500


def test_comparisons_are_of_recorded_configurations_by_their_names():
    label = {
        row["config_hash"]: f"{config.name} {configs.variant(False, config.departures)}"
        for row in rows_of("results.csv")
        for config in [configs.recorded(json.loads(row["config"]), row["variant"])]
    }
    for row in rows_of(SIGNIFICANCE):
        names = [label[digest].strip() for digest in row["configs"].split()]
        assert row["pair"] == " - ".join(names)


def test_searches_are_of_options_that_the_models_have():
    for row in rows_of(SEARCHES):
        definition = DEFINITIONS[configs.parse_name(row["model"]).model]
        assert json.loads(row["overrides"]).keys() <= definition.defaults.keys()


OLD = {
    "model": "hyperts",
    "dataset": "toys",
    "c": 2.0,
    "origin_weight": 0.5,
    "score": "product",
    "loss": "softplus",
    "margin": 0.0,
    "distortion_weight": 0.0,
}


def old_row(settings, variant, digest):
    return {
        **{"dataset": "toys", "model": settings["model"], "variant": variant},
        **{"config_hash": digest, "config": json.dumps(settings), "seed": "3"},
        "ndcg10": "0.123456",
    }


def test_the_product_moves_to_its_own_model_and_its_figures_stay():
    rows = [old_row(OLD, "+", "a"), old_row(OLD | {"c": 0.0}, "+ c=0", "b")]
    moved = rename_rows.results(rows, {"toys": "data"})
    assert {row["model"] for row in rows} == {"hyperbolic_mf"}
    assert {row["variant"] for row in rows} == {"", "c=0"}
    for row in rows:
        config = configs.recorded(json.loads(row["config"]), row["variant"])
        assert config.settings.keys() == {"c", "origin_weight"}
        assert row["config_hash"] == configs.config_hash(config, "data")
        assert (row["seed"], row["ndcg10"]) == ("3", "0.123456")
    assert moved["b"][1] == "hyperbolic_mf c=0"
    pair = [
        {"question": "lead", "dataset": "toys", "metric": "hr10", "p": "1e-9"}
        | {"pair": "hyperts+ c=0 - cml", "configs": "b c"}
    ]
    rename_rows.comparisons(pair, moved)
    assert pair[0]["pair"] == "hyperbolic_mf c=0 - cml" and pair[0]["p"] == "1e-9"
    assert pair[0]["configs"] == f"{moved['b'][0]} c"
    assert rename_rows.results(rows, {"toys": "data"}) == {}  # mapped already


def test_hyperml_by_sgd_is_a_model_of_its_own_where_it_is_committed():
    committed = configs.resolve(config_files.load("ml1m", "hyperml_sgd")).identity
    old = dict(committed) | {"model": "hyperml"}
    other = old | {"learning_rate": 6.0}
    digests = [
        configs.config_hash(configs.recorded(settings), "data")
        for settings in (old, other)
    ]
    rows = [
        old_row(settings, "optimizer=sgd", digest) | {"dataset": "ml1m"}
        for settings, digest in zip((old, other), digests, strict=True)
    ]
    moved = rename_rows.results(rows, {"ml1m": "data"})
    (mine,) = [row for row in rows if row["model"] == "hyperml_sgd"]
    assert (mine["variant"], mine["ndcg10"]) == ("", "0.123456")
    assert moved == {digests[0]: (mine["config_hash"], "hyperml_sgd")}
    (kept,) = [row for row in rows if row["model"] == "hyperml"]
    assert (kept["config_hash"], kept["variant"]) == (digests[1], "optimizer=sgd")
    assert rename_rows.results(rows, {"ml1m": "data"}) == {}


def test_other_rows_keep_their_hashes_and_lose_options_that_were_off():
    settings = {"model": "hyperml", "dataset": "toys", "c": 2.0}
    digest = configs.config_hash(configs.recorded(settings), "data")
    retired = {"score": "distance", "origin_weight": 0.0}
    rows = [old_row(settings | retired, "c=2.0", digest)]
    assert rename_rows.results(rows, {"toys": "data"}) == {}
    assert (rows[0]["config_hash"], rows[0]["variant"]) == (digest, "c=2.0")
    assert json.loads(rows[0]["config"]) == settings
    with pytest.raises(configs.ConfigError, match="is the fingerprint"):
        rename_rows.results(rows, {"toys": "other data"})


def test_an_option_that_is_gone_is_refused_where_it_was_on():
    with pytest.raises(configs.ConfigError, match="are those of hyperbolic_mf now"):
        configs.recorded(OLD)
    with pytest.raises(configs.ConfigError, match="cml has no option 'c'"):
        configs.recorded({"model": "cml", "dataset": "toys", "c": 1.0})
