"""What a configuration holds: one set of defaults, and the checks on it.

A file of `run_configs/` starts from `for_model(key)` and changes what its dataset
needs. A model's config has the fields that the model uses and no others, so a
setting that would be ignored is an error.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import ml_collections
from ml_collections import config_dict

from hyperml_tf.errors import InputError
from hyperml_tf.models import MODELS
from hyperml_tf.models.base import metric_init_scale
from hyperml_tf.optimizers.poincare import RETRACTIONS

#: Ends the name of a model's settings with options beyond the paper: "hyperml+".
BEYOND = "+"

#: Options beyond the paper, at the value that turns them off. An option left off
#: does not enter the hash, so a new one does not orphan older runs.
OFF: dict[str, object] = {
    "patience": 0,
    "loss": "hinge",
    "score": "distance",
    "origin_weight": 0.0,
    "negatives": 1,
    "negative_choice": "each",
    "item_bias": False,
    "learning_rate_decay": 1.0,
    "negative_sampler": "uniform",
    "norm_penalty": 0.0,
    "rescale": True,
}

#: The searched sets of the paper (§3.1).
PAPER_GRID: dict[str, tuple] = {
    "optimizer": ("adam", "adagrad"),
    "learning_rate": (1e-2, 1e-3, 1e-4, 1e-5),
    "dim": (32, 64, 128),
    "batch_size": (128, 256, 512),
    "distortion_weight": (0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
    "margin": (0.1, 0.2, 0.5),
}

#: HyperTS with these is MF-BPR with a curvature: at c = 0 it is MF-BPR, `origin_weight`
#: its L2.
PRODUCT = {
    "score": "product",
    "loss": "softplus",
    "margin": 0.0,
    "distortion_weight": 0.0,
}

OPTIMIZERS = ("adam", "adam_dense", "adagrad", "sgd", "riemannian_adam")

#: Fields that describe a row rather than change a number in it.
LABELS = ("variant", "paper")

# field -> (lowest, highest) that makes sense; both included.
_RANGES: dict[str, tuple[float, float]] = {
    "dim": (1, 4096),
    "batch_size": (1, 1 << 20),
    "epochs": (0, 100_000),
    "eval_every": (1, 100_000),
    "patience": (0, 100_000),
    "learning_rate": (0.0, 100.0),
    "learning_rate_decay": (0.5, 1.0),
    "margin": (0.0, 1e6),
    "distortion_weight": (0.0, 1e6),
    "c": (0.0, 1e6),
    "dropout": (0.0, 0.99),
    "l2": (0.0, 1e6),
    "origin_weight": (0.0, 1e6),
    "norm_penalty": (0.0, 1e6),
    "init_scale": (0.0, 1.0),
    "negatives": (1, 1000),
    "memory_size": (1, 10_000),
    "layers": (1, 10),
}
_CHOICES = {
    "optimizer": OPTIMIZERS,
    "retraction": RETRACTIONS,
    "model": tuple(MODELS),
    "negative_choice": ("each", "hardest"),
    "negative_sampler": ("uniform", "popularity"),
    "dense_init": ("glorot", "paper"),
    "loss": ("hinge", "softplus"),
    "score": ("distance", "product"),
}


class ConfigError(InputError):
    """A configuration that cannot be run; the message names value, rule, remedy."""


def _trained(model: str) -> ml_collections.ConfigDict:
    """Fields of every model that is trained; values of §3.1 where it gives one."""
    return ml_collections.ConfigDict(
        {
            "dataset": config_dict.placeholder(str),
            "model": model,
            "variant": "",
            "dim": 64,  # "for most datasets and baselines"
            "batch_size": 512,  # likewise
            "epochs": 500,  # the paper is silent; validation chooses the epoch
            "eval_every": 50,
            "patience": 0,  # validations without a better one; 0: all epochs
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "learning_rate_decay": 1.0,  # factor an epoch; beyond the paper
            "dropout": 0.5,
            "init_scale": config_dict.placeholder(float),  # None: the paper's rule
        }
    )


def _of_triplets(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Fields of models of the triplet kind: negatives, which count, item biases."""
    config.negatives = 1
    config.negative_choice = "each"  # "hardest" goes beyond the paper
    config.negative_sampler = "uniform"  # "popularity": a control
    config.item_bias = False  # True goes beyond the paper
    return config


def hyperml() -> ml_collections.ConfigDict:
    """HyperML: points on the ball."""
    config = hyperts()
    config.model = "hyperml"
    config.retraction = "projection"  # Eq. 14's R; "exp" is full RSGD
    config.rescale = True  # False: a control, the Euclidean gradient
    return config


def hyperts() -> ml_collections.ConfigDict:
    """HyperTS: parameters in the tangent space at 0."""
    config = _trained("hyperts")
    config.c = 1.0
    config.margin = 0.5
    config.loss = "hinge"  # Eq. 11; "softplus" goes beyond the paper
    config.distortion_weight = 0.1
    config.score = "distance"  # "product" goes beyond the paper
    config.origin_weight = 0.0  # more: likewise
    return _of_triplets(config)


def cml() -> ml_collections.ConfigDict:
    """CML with one uniform negative."""
    config = _trained("cml")
    config.margin = 0.5
    config.loss = "hinge"
    config.norm_penalty = 0.0  # more: a control, the flat part of the distortion
    return _of_triplets(config)


def cml_warp() -> ml_collections.ConfigDict:
    """CML with rank weights over 20 negatives, as in its own paper."""
    config = _trained("cml_warp")
    config.margin = 0.5
    config.loss = "hinge"
    config.negatives = 20
    config.item_bias = False
    return config


def lrml() -> ml_collections.ConfigDict:
    """LRML."""
    config = _trained("lrml")
    config.margin = 0.5
    config.loss = "hinge"
    config.memory_size = 20  # the LRML paper's default
    return _of_triplets(config)


def mf_bpr() -> ml_collections.ConfigDict:
    """MF-BPR."""
    config = _trained("mf_bpr")
    config.dropout = 0.0  # L2 does the regularising
    config.l2 = 0.01
    return _of_triplets(config)


def mlp() -> ml_collections.ConfigDict:
    """MLP."""
    config = gmf()
    config.model = "mlp"
    config.layers = 3  # the paper chooses among 3, 4, 5
    return config


def gmf() -> ml_collections.ConfigDict:
    """GMF, half of NCF's pre-training."""
    config = _trained("gmf")
    config.negatives = 4  # the NCF paper's
    config.dense_init = "glorot"  # "paper": U(±α), which learns later
    config.l2 = 0.0
    return config


def ncf() -> ml_collections.ConfigDict:
    """NCF; its parts are runs of their own with the fields they share."""
    config = mlp()
    config.model = "ncf"
    config.pretrained = True
    return config


def popularity() -> ml_collections.ConfigDict:
    """Popularity: nothing to train."""
    return ml_collections.ConfigDict(
        {
            "dataset": config_dict.placeholder(str),
            "model": "popularity",
            "variant": "",
            "epochs": 0,
        }
    )


_DEFAULTS = {
    "hyperml": hyperml,
    "hyperts": hyperts,
    "mf_bpr": mf_bpr,
    "mlp": mlp,
    "gmf": gmf,
    "ncf": ncf,
    "cml": cml,
    "cml_warp": cml_warp,
    "lrml": lrml,
    "popularity": popularity,
}


def for_model(
    name: str,
    dataset: str | None = None,
    paper: Mapping[str, tuple[float, float]] | None = None,
    training: Mapping[str, Any] | None = None,
    chosen: Mapping[str, Mapping[str, Any]] | None = None,
) -> ml_collections.ConfigDict:
    """The config of a model: its defaults, with what a dataset's file changes.

    Args:
        name: key of `models.MODELS`; with a `+` after it, the model's settings with
            options beyond the paper.
        dataset: dataset key.
        paper: model -> nDCG@10 and HR@10 of Tables 2 and 3.
        training: fields for every model that is trained.
        chosen: name -> fields; those of `hyperml+` come on top of those of `hyperml`.

    Raises:
        ConfigError: unknown name, or a field that the model does not have.
    """
    chosen = chosen or {}
    model = name.removesuffix(BEYOND)
    if model not in _DEFAULTS:
        raise ConfigError(f"unknown model {model!r}; one of: {', '.join(_DEFAULTS)}")
    if name != model and name not in chosen:
        raise ConfigError(f"no settings beyond the paper for {model} on {dataset}")
    config = _DEFAULTS[model]()
    config.dataset = dataset
    printed = (paper or {}).get(name)
    config.paper = {"ndcg10": printed[0], "hr10": printed[1]} if printed else {}
    if name != model:
        config.variant = BEYOND
    for changes in (
        training if config.epochs else None,
        chosen.get(model),
        chosen.get(name),
    ):
        for field, value in (changes or {}).items():
            if field not in config:
                raise ConfigError(f"{model} has no field {field!r} to set on {dataset}")
            config[field] = value
    return config


def resolve(config: ml_collections.ConfigDict) -> ml_collections.FrozenConfigDict:
    """Fills in what depends on other fields, and checks every value.

    Raises:
        ConfigError: a field out of its range, or without a value.
    """
    config = config.copy_and_resolve_references()
    for field, value in config.items():
        _check(field, value)
    if config.model != "popularity" and not config.epochs:
        raise ConfigError("config.epochs = 0 trains nothing; it must be at least 1")
    if config.get("optimizer") == "riemannian_adam" and config.model != "hyperml":
        raise ConfigError(
            "config.optimizer = 'riemannian_adam' is for points on the ball, which "
            f"only hyperml has; choose adam for {config.model}"
        )
    if config.get("optimizer") == "riemannian_adam" and (
        config.retraction != "projection" or not config.rescale
    ):
        raise ConfigError(
            "config.retraction and config.rescale are options of a Euclidean optimizer "
            "on the ball; riemannian_adam has its own, leave them out"
        )
    if "init_scale" in config and config.init_scale is None:
        metric = config.model not in ("mf_bpr", "mlp", "gmf", "ncf")
        config.init_scale = metric_init_scale(config.dim) if metric else 0.01
    return ml_collections.FrozenConfigDict(config)


def _check(field: str, value: Any) -> None:
    if value is None:
        if field != "init_scale":
            raise ConfigError(f"config.{field} is not set; give --config.{field}=…")
        return
    low, high = _RANGES.get(field, (None, None))
    if low is not None and not low <= value <= high:
        raise ConfigError(
            f"config.{field} = {value} is out of range; "
            f"it must be in [{low:g}, {high:g}]"
        )
    if field in _CHOICES and value not in _CHOICES[field]:
        raise ConfigError(
            f"config.{field} = {value!r} is not known; "
            f"one of: {', '.join(_CHOICES[field])}"
        )


def changed(
    config: ml_collections.ConfigDict, values: Mapping[str, Any]
) -> ml_collections.ConfigDict:
    """A copy of a config with other values of fields that it has.

    Raises:
        ConfigError: a value is not of its field's type.
    """
    config = config.copy_and_resolve_references()
    for field, value in values.items():
        try:
            config[field] = value
        except TypeError:
            kind = config.get_type(field).__name__
            raise ConfigError(
                f"config.{field} = {value!r} must be of type {kind}"
            ) from None
    return config


def settings(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The fields that change numbers, without labels."""
    return {k: v for k, v in config.to_dict().items() if k not in LABELS}


def config_hash(config: ml_collections.ConfigDict, fingerprint: str) -> str:
    """12 hexadecimal digits over the resolved settings and the prepared data."""
    chosen = {k: v for k, v in settings(config).items() if OFF.get(k, ...) != v}
    canonical = json.dumps(chosen, sort_keys=True) + fingerprint
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
