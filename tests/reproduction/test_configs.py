"""Configurations: the committed files, the checks, the hash."""

import dataclasses
import pathlib
import re

import pytest

from hyperml_tf.models import DEFINITIONS
from hyperml_tf.models.table_model import TableRecommender
from hyperml_tf.reproduction import base_of, config_files
from hyperml_tf.reproduction.reporting.paper import TABLE2_MODELS
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import factory
from hyperml_tf.training.configuration import ConfigError, Name

COMMITTED = sorted(p.stem for p in config_files.FOLDER.glob("*.py"))


@pytest.mark.parametrize("model", DEFINITIONS)
@pytest.mark.parametrize("dataset", COMMITTED)
def test_every_committed_config_is_valid_for_every_model(dataset, model):
    config = configs.resolve(config_files.load(dataset, model))
    assert (config.dataset, config.model) == (dataset, model)


def test_the_ten_datasets_of_the_paper_have_configs():
    assert set(config_files.PAPER_DATASETS) <= set(COMMITTED)


PAPER_TEXT = pathlib.Path(__file__).parents[3] / "shared" / "paper" / "hyperml.txt"


@pytest.mark.skipif(not PAPER_TEXT.exists(), reason="the paper's text is not here")
@pytest.mark.parametrize("dataset", config_files.PAPER_DATASETS)
def test_the_papers_numbers_are_those_of_table_2_in_row_order(dataset):
    text = PAPER_TEXT.read_text()
    column = config_files.PAPER_DATASETS.index(dataset)
    for model in TABLE2_MODELS:
        name = DEFINITIONS[model].title
        rows = re.findall(rf"^{name} ((?:\d\d\.\d\d\d ?){{10}})$", text, re.MULTILINE)
        numbers = [float(n) for row in rows for n in row.split()]
        ndcg, hr = numbers[2 * column : 2 * column + 2]
        paper = config_files.load(dataset, model).paper
        assert (paper.ndcg10, paper.hr10) == pytest.approx((ndcg / 100, hr / 100))


def test_defaults_are_the_papers():
    config = configs.resolve(config_files.load("games", "hyperml"))
    assert (config.dim, config.batch_size, config.dropout, config.c) == (
        64,
        512,
        0.5,
        1,
    )
    assert config.optimizer == "adam"
    for searched in ("learning_rate", "margin"):
        grid = config.definition[searched].grid
        assert config.get(searched) in grid.values and grid.source == "the paper's"
    # (3 * 0.01² / (2 * 64))^(1/3) = 0.013283…
    assert config.init_scale == pytest.approx(0.0132832, rel=1e-5)


def test_labels_do_not_change_the_hash_and_settings_and_data_do():
    config = config_files.load("games", "hyperml")
    base = configs.config_hash(configs.resolve(config), "data")
    config.variant = "+ c=2"
    assert configs.config_hash(configs.resolve(config), "data") == base
    assert configs.config_hash(configs.resolve(config), "other data") != base
    config.margin = 0.2
    assert configs.config_hash(configs.resolve(config), "data") != base


@pytest.mark.parametrize("option", [{"rescale": False}, {"retraction": "exp"}])
def test_options_that_riemannian_adam_would_ignore_are_refused(option):
    config = config_files.load("games", "hyperml")
    config.optimizer = "riemannian_adam"
    configs.resolve(config)
    config.update(option)
    with pytest.raises(ConfigError, match="riemannian_adam has its own"):
        configs.resolve(config)


@pytest.mark.parametrize(
    "field, value",
    [("dim", 0), ("margin", -0.1), ("dropout", 1.0), ("c", -1.0), ("eval_every", 0)],
)
def test_impossible_values_are_refused_with_their_range(field, value):
    config = config_files.load("games", "hyperml")
    config[field] = value
    with pytest.raises(ConfigError, match=rf"config\.{field} = .*must be in \["):
        configs.resolve(config)


def test_a_trained_model_has_at_least_one_epoch():
    config = configs.for_model("cml", "games", None, {"epochs": 0})
    with pytest.raises(
        ConfigError, match=r"epochs = 0 is out of range; it must be in \[1, "
    ):
        configs.resolve(config)


def test_settings_beyond_the_paper_come_on_top_of_the_models_own():
    chosen = {"cml": {"dropout": 0.2}, "cml+": {"negatives": 3}}
    config = configs.for_model("cml+", "toys", {"cml": (0.1, 0.2)}, {}, chosen)
    assert (config.dropout, config.negatives, config.variant) == (0.2, 3, "+")
    assert not config.paper  # the paper has no such row
    assert configs.for_model("cml", "toys", None, {}, chosen).negatives == 1
    with pytest.raises(configs.ConfigError, match="beyond the paper for hyperml"):
        configs.for_model("hyperml+", "toys", None, {}, chosen)
    with pytest.raises(
        configs.ConfigError, match="cml has no field 'l2' to set on toys"
    ):
        configs.for_model("cml", "toys", None, {}, {"cml": {"l2": 0.1}})


def test_a_config_is_loaded_again_by_its_name(tmp_path, monkeypatch):
    file = tmp_path / "toys.py"
    file.write_text(
        "from hyperml_tf.training import configuration as defaults\n"
        "CHOSEN = {'cml+': {'negatives': 3}}\n"
        "def get_config(model='hyperml'):\n"
        "    return defaults.for_model(model, 'toys', None, {}, CHOSEN)\n"
    )
    monkeypatch.setattr(config_files, "FOLDER", tmp_path)
    cml_beyond = Name("cml", beyond=True)
    assert config_files.beyond("toys") == [cml_beyond] == [configs.parse_name("cml+")]
    config = config_files.load("toys", cml_beyond)
    assert configs.name_of(config) == cml_beyond and str(cml_beyond) == "cml+"
    config.variant = "+ dim=8"  # a sweep on top
    assert configs.name_of(config) == cml_beyond
    assert configs.name_of(config_files.load("toys", "cml")) == Name("cml")


@pytest.mark.parametrize(
    "text", ["", "+", "c=0.5", "+ c=0", "rescale=False", "+ c=2 dim=8"]
)
def test_a_variant_is_read_and_written_alike(text):
    config = configs.recorded({"dataset": "toys", "model": "cml", "variant": text})
    assert config.variant == text == configs.recorded(config.to_dict()).variant
    assert config.name == Name("cml", beyond=text.startswith("+"))
    assert len(config.departures) == text.count("=")


def test_a_configuration_is_frozen_and_equal_where_its_settings_are():
    config, same = (configs.resolve(config_files.load("games", "cml")) for _ in "ab")
    assert config == same and hash(config) == hash(same)
    assert configs.recorded(config.to_dict()) == config
    assert config.margin == config.settings["margin"] and "c" not in config
    assert config.get("c", 1.0) == 1.0
    with pytest.raises(AttributeError, match="no 'c'"):
        _ = config.c
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.dataset = "ml1m"


def test_every_optimizer_that_a_config_can_name_can_be_made():
    choices = {c for of in DEFINITIONS.values() if of.trains
               for c in of["optimizer"].choices}  # fmt: skip
    assert choices == factory.OPTIMIZERS.keys()


@pytest.mark.parametrize("model", DEFINITIONS)
def test_item_biases_belong_to_the_models_of_the_triplet_kind(model):
    config = configs.for_model(model, "games")
    triplet = issubclass(DEFINITIONS[model].model, TableRecommender)
    assert ("item_bias" in config) == triplet
    if triplet:
        plain = configs.config_hash(configs.resolve(config), "data")
        config.item_bias = True
        assert configs.config_hash(configs.resolve(config), "data") != plain


def test_a_dataset_split_otherwise_has_the_settings_of_the_dataset():
    assert base_of("ml1m-shuffled") == base_of("ml1m-file_order") == "ml1m"
    assert base_of("my-shop") == "my-shop"  # one's own key may have a dash
    shuffled = config_files.load("ml1m-shuffled", "mf_bpr").to_dict()
    assert shuffled.pop("dataset") == "ml1m-shuffled"
    by_time = config_files.load("ml1m", "mf_bpr").to_dict()
    assert shuffled == {k: v for k, v in by_time.items() if k != "dataset"}
