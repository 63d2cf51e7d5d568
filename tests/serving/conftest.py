"""Small models with random tables, behind a dataset with raw ids."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from data_prep import folder as prepared
from hyperml_tf.data.prepared import load
from hyperml_tf.models import (
    CML,
    EASE,
    GMF,
    IALS,
    LRML,
    MFBPR,
    MLP,
    NCF,
    HyperbolicMF,
    HyperML,
    HyperTS,
    ItemKNN,
    MFSoftmax,
    Popularity,
    SoftmaxRecommender,
)  # fmt: skip
from hyperml_tf.serving import saved_model
from hyperml_tf.serving.exported import Exported

USERS, ITEMS, DIM = 40, 300, 8
TABLES = {"dim": DIM, "init_scale": 0.2, "dropout": 0.0, "seed": 3}


@pytest.fixture(scope="session")
def prepared_dir(tmp_path_factory):
    """A data folder with `tiny`: user 0 touched all items but two, user 1 only one."""
    folder = tmp_path_factory.mktemp("prepared") / "tiny"
    folder.mkdir()
    rng = np.random.default_rng(5)
    train = [np.sort(rng.choice(ITEMS, 12, replace=False)) for _ in range(USERS)]
    train[0], train[1] = np.arange(2, ITEMS - 2), np.array([7])
    held_out = [[ITEMS - 2, ITEMS - 1], [-1, -1]]
    for mine in train[2:]:
        others = np.setdiff1d(np.arange(ITEMS), mine)
        held_out.append(rng.choice(others, 2, replace=False))
    valid, test = np.array(held_out, np.int32).T
    arrays = {
        "train_user": np.repeat(np.arange(USERS), [len(t) for t in train]),
        "train_item": np.concatenate(train),
        "valid_item": valid,
        "test_item": test,
        "valid_negatives": np.full((USERS, 100), -1),
        "test_negatives": np.full((USERS, 100), -1),
    }
    prepared.write(
        folder,
        {name: array.astype(np.int32) for name, array in arrays.items()},
        user_ids=[f"u{user}é" for user in range(USERS)],
        item_ids=[f"i{item}" for item in range(ITEMS)],
        titles={f"i{item}": (f"Title, no. {item}", "A|B") for item in range(ITEMS)},
        stats={"users": USERS, "items": ITEMS},
    )
    return folder.parent


@pytest.fixture(scope="session")
def interactions(prepared_dir):
    """The dataset `tiny`."""
    return load("tiny", prepared_dir)


@pytest.fixture(scope="session")
def models(interactions):
    """By key; tables wide enough to fill their balls."""
    metric = {"margin": 0.5, **TABLES}
    hyperbolic = {"distortion_weight": 0.1, **metric}
    popularity = Popularity(USERS, ITEMS)
    fitted = {
        "itemknn": ItemKNN(USERS, ITEMS, neighbours=20),
        "ease": EASE(USERS, ITEMS),
        "ials": IALS(USERS, ITEMS, dim=5),
    }
    with_history = SoftmaxRecommender(USERS, ITEMS, history=0.5, **TABLES)
    for model in (popularity, with_history, *fitted.values()):
        model.adapt(interactions)
    product = {"c": 1.0, "origin_weight": 0.01, **TABLES}
    with_biases = {
        "biased": HyperML(USERS, ITEMS, c=1.0, item_bias=True, **hyperbolic),
        "biased_cml": CML(USERS, ITEMS, item_bias=True, **metric),
        "biased_mf_bpr": MFBPR(USERS, ITEMS, item_bias=True, l2=0.0, **TABLES),
        "biased_hyperbolic_mf": HyperbolicMF(USERS, ITEMS, item_bias=True, **product),
    }
    biases = np.random.default_rng(2).normal(size=(ITEMS, 1))
    for model in with_biases.values():
        model.item_biases.table.assign(biases.astype(np.float32))
    pointwise = {"dense_init": "glorot", "l2": 0.0, **TABLES}
    networks = {
        "gmf": GMF(USERS, ITEMS, **pointwise),
        "mlp": MLP(USERS, ITEMS, layers=3, **pointwise),
        "ncf": NCF(USERS, ITEMS, layers=3, **pointwise),
    }
    for network in networks.values():
        for weight in network.weights:
            if weight.name.startswith("bias"):  # live ReLUs, logits away from 0
                weight.assign(tf.fill(weight.shape, 1.0))
    return {
        "hyperml": HyperML(USERS, ITEMS, c=1.0, **hyperbolic),
        "hyperts": HyperTS(USERS, ITEMS, c=1.0, **hyperbolic),
        "cml": CML(USERS, ITEMS, **metric),
        "mf_bpr": MFBPR(USERS, ITEMS, l2=0.0, **TABLES),
        "lrml": LRML(USERS, ITEMS, memory_size=5, **metric),
        "hyperbolic_mf": HyperbolicMF(USERS, ITEMS, **product),
        **with_biases,
        "popularity": popularity,
        "mf_softmax": MFSoftmax(USERS, ITEMS, **TABLES),
        "hyperml_softmax": with_history,
        **fitted,
        **networks,
    }


@pytest.fixture(scope="session")
def export_of(models, interactions, tmp_path_factory):
    """The folder of a model's export, by key: made once, not to be changed."""

    @functools.cache
    def export(key):
        folder = tmp_path_factory.mktemp("export") / key
        saved_model.export(models[key], interactions, folder, record={"model": key})
        return folder

    return export


@pytest.fixture(scope="session")
def loaded(export_of):
    """A model's export by key, loaded once."""
    return functools.cache(lambda key: Exported(export_of(key)))


@pytest.fixture(scope="session")
def known(interactions):
    """What each user touched, as sets of rows."""
    sets = [set() for _ in range(USERS)]
    for user, item in zip(
        interactions.train_user, interactions.train_item, strict=True
    ):
        sets[user].add(int(item))
    for held_out in (interactions.valid_item, interactions.test_item):
        for user, item in enumerate(held_out):
            sets[user] |= {int(item)} - {-1}
    return sets
