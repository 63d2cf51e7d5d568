"""Recommenders in the hands of Keras: defaults, compiling, evaluating, saving."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.models import DEFINITIONS, HyperML
from hyperml_tf.models.base import metric_init_scale
from hyperml_tf.models.options import constructor_defaults
from hyperml_tf.optimizers import LazyAdam, PoincareOptimizer

EVERY = pytest.mark.parametrize("key", DEFINITIONS)
TRAINED = [key for key, model in DEFINITIONS.items() if model.trains]
USERS, ITEMS = 7, 11


def batches(rng, negatives=1):
    shape = (12, negatives) if negatives > 1 else 12
    triplets = (
        rng.integers(0, USERS, 12).astype(np.int32),
        rng.integers(0, ITEMS, 12).astype(np.int32),
        rng.integers(0, ITEMS, shape).astype(np.int32),
    )
    return tf.data.Dataset.from_tensors(triplets)


def other_value(option):
    """A value of an option that is not its default."""
    if isinstance(option.default, bool):
        return not option.default
    if option.choices:
        return next(c for c in option.choices if c != option.default)
    own = {"dim": 6, "layers": 2, "memory_size": 3, "shared_negatives": 5}
    own |= {"history_items": 3, "neighbours": 2, "alpha": 3.0, "iterations": 2}
    return own.get(option.name, 0.25)


def altered(key, **more):
    """A model none of whose options has its default, and that knows the data."""
    definition = DEFINITIONS[key]
    taken = constructor_defaults(definition.model)
    options = {o.name: other_value(o) for o in definition.options if o.name in taken}
    model = definition.model(USERS, ITEMS, **options | more)
    model.adapt(train_interactions())
    return model, options


def train_interactions():
    train = [[0, 1, 2], [1, 2], [2, 3, 0, 5], [4, 1], [5, 4, 3], [1, 3], [9, 10]]
    users = np.repeat(np.arange(USERS), [len(items) for items in train])
    items = np.concatenate(train)
    held_out = np.full(USERS, -1, np.int32)
    return Interactions(
        name="memory",
        train_user=users.astype(np.int32),
        train_item=items.astype(np.int32),
        valid_item=held_out,
        test_item=held_out,
        valid_negatives=held_out[:, None],
        test_negatives=held_out[:, None],
        user_ids=[str(user) for user in range(USERS)],
        item_ids=[str(item) for item in range(ITEMS)],
    )


@EVERY
def test_a_model_needs_the_sizes_alone_and_has_the_papers_defaults(key):
    definition = DEFINITIONS[key]
    model = definition.model(USERS, ITEMS)
    config = model.get_config()
    assert (config["num_users"], config["num_items"]) == (USERS, ITEMS)
    for option in definition.options:
        if option.name in config:
            assert config[option.name] == option.default
    if key == "hyperml":
        assert model.user_table.dim == 64
        assert model.item_table.init_scale == metric_init_scale(64)


@EVERY
def test_every_option_that_the_constructor_takes_survives_the_config(key):
    model, options = altered(key, seed=5, name="mine")
    config = model.get_config()
    assert config | options | {"seed": 5, "name": "mine"} == config
    again = type(model).from_config(config)
    assert again.get_config() == config
    again.adapt(train_interactions())
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("options", [{}, None], ids=["default", "altered"])
@EVERY
def test_a_saved_model_is_loaded_with_its_weights_and_scores(
    key, options, tmp_path, rng
):
    definition = DEFINITIONS[key]
    made = definition.model(USERS, ITEMS) if options is not None else altered(key)[0]
    made.compile()
    if definition.trains:
        made.fit(batches(rng), epochs=2, verbose=0)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(made)
    assert loaded.get_config() == made.get_config()
    for ours, theirs in zip(loaded.weights, made.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    if definition.trains:
        loaded.adapt(train_interactions())  # what it reads of the data is not saved
    users = np.arange(USERS)
    pairs = users[:, None], np.arange(ITEMS)[None] + 0 * users[:, None]
    np.testing.assert_array_equal(loaded.score(*pairs), made.score(*pairs))
    np.testing.assert_array_equal(loaded.score_all(users), made.score_all(users))
    if definition.trains:  # and goes on as the other does
        following = batches(rng)
        for model in made, loaded:
            model.fit(following, epochs=1, verbose=0)
        for ours, theirs in zip(loaded.weights, made.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("negatives", [1, 3])
@pytest.mark.parametrize("key", TRAINED)
def test_evaluate_gives_the_terms_of_the_loss_without_dropout(key, negatives, rng):
    model = DEFINITIONS[key].model(USERS, ITEMS, dropout=0.5)
    model.compile()
    data = batches(rng, negatives)
    (batch,) = data
    terms = model.train_loss(*model.arrange(*batch))
    before = model.get_weights()
    found = model.evaluate(data, return_dict=True, verbose=0)
    assert found == {
        f"loss/{name}": pytest.approx(float(value), rel=1e-6)
        for name, value in terms.items()
    }
    fit = model.fit(data, epochs=1, verbose=0).history
    assert set(fit) == set(found)
    after = model.get_weights()
    assert any(np.any(x != y) for x, y in zip(before, after, strict=True))


@EVERY
def test_predict_gives_scores(key, rng):
    model, _ = altered(key)
    model.compile()
    users, items = rng.integers(0, USERS, 40), rng.integers(0, ITEMS, 40)
    scores = model.predict((users, items), batch_size=40, verbose=0)
    np.testing.assert_array_equal(scores, model.score(users, items))


@pytest.mark.parametrize("key", TRAINED)
def test_without_an_optimizer_it_is_lazy_adam_and_rows_stay_in_their_space(key, rng):
    model = DEFINITIONS[key].model(USERS, ITEMS)
    model.compile()
    inner = getattr(model.optimizer, "inner", model.optimizer)
    assert type(inner) is LazyAdam
    assert float(inner.learning_rate) == pytest.approx(1e-3)
    model.optimizer.learning_rate = 1.0
    model.fit(batches(rng).repeat(5), epochs=1, verbose=0)
    if key in ("hyperml", "cml", "cml_warp", "lrml"):
        rows = np.concatenate([table.numpy() for table in model.tables])
        norms = np.linalg.norm(rows, axis=1)
        assert norms.max() <= 1 + 1e-6 and norms.max() > 0.9


def test_an_optimizer_of_ones_own_is_taken(rng):
    model = HyperML(USERS, ITEMS)
    model.compile(PoincareOptimizer(keras.optimizers.SGD(0.5)))
    before = model.user_table.table.numpy()
    model.fit(batches(rng), verbose=0)
    assert np.any(model.user_table.table.numpy() != before)
    flat = DEFINITIONS["mf_bpr"].model(USERS, ITEMS)
    flat.compile("adam")
    flat.fit(batches(rng), verbose=0)
    assert isinstance(flat.optimizer, keras.optimizers.Adam)


@EVERY
def test_every_keyword_of_a_constructor_is_an_option_with_a_help_sentence(key):
    definition = DEFINITIONS[key]
    own = vars(definition.model).get("__init__", lambda: None)
    own = inspect.signature(own).parameters.values()
    keywords = {p.name for p in own if p.kind is p.KEYWORD_ONLY}
    assert keywords <= definition.defaults.keys()
    for option in definition.options:
        assert option.help.endswith(".") and option.help[0].isupper()
        assert len(option.help) <= 80
        option.check(option.default)
        for value in option.grid.values if option.grid else ():
            option.check(value)
