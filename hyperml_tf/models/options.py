"""Options of models and of their training: default, range, help, grid, off.

An option that a model's constructor takes has its default there; only what training
alone reads has it in the `Option`. A model's own options stand in its file, here are
those that several share.
"""

import dataclasses
import inspect
from typing import Any, NamedTuple

import tf_keras as keras

from hyperml_tf.errors import InputError
from hyperml_tf.geometry.spaces import RETRACTIONS


class ConfigError(InputError):
    """A configuration that cannot be run; the message names value, rule, remedy."""


class Grid(NamedTuple):
    """Values that a search tries, and whose they are."""

    values: tuple
    source: str


def paper(*values) -> Grid:
    """Values that the paper searched (§3.1)."""
    return Grid(values, "the paper's")


def ours(*values) -> Grid:
    """Values beside the paper's, chosen here."""
    return Grid(values, "ours")


#: No default here: the constructor has it.
OF_CONSTRUCTOR: Any = object()
#: No value turns the option off.
NEVER: Any = object()


@dataclasses.dataclass(frozen=True)
class Option:
    """A setting of a model or of its training.

    Attributes:
        name: of the config's field, and of the constructor's argument if it is one.
        help: what it sets, in one sentence.
        default: its value where nobody says otherwise.
        range: lowest and highest possible value, both included.
        choices: the possible values, where they are names.
        grid: what a search tries; None for an option that is not searched.
        off: the value at which a model does without the option. So it does not enter
            the hash, and a new option does not orphan older runs.
        kind: type of the values, where the default is None.
        shapes_weights: whether weights trained at one value are of no use at another.
    """

    name: str
    help: str
    default: Any = OF_CONSTRUCTOR
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    grid: Grid | None = None
    off: Any = NEVER
    kind: type = float
    shapes_weights: bool = False

    def check(self, value: Any) -> None:
        """Refuses an impossible value of a config.

        Raises:
            ConfigError: with the rule.
        """
        if value is None and self.default is not None:
            raise ConfigError(
                f"config.{self.name} is not set; give --config.{self.name}=…"
            )
        if problem := self.problem(value):
            raise ConfigError(f"config.{problem}")

    def problem(self, value: Any) -> str:
        """What is wrong with a value, and the rule; "" for a possible one."""
        if value is None:
            return ""
        if self.range and not self.range[0] <= value <= self.range[1]:
            low, high = self.range
            return (
                f"{self.name} = {value} is out of range; "
                f"it must be in [{low:.8g}, {high:.8g}]"
            )
        if self.choices and value not in self.choices:
            return (
                f"{self.name} = {value!r} is not known; "
                f"one of: {', '.join(self.choices)}"
            )
        return ""

    @property
    def values(self) -> str:
        """The possible values, for a reader."""
        if self.range:
            return "{:.8g} to {:.8g}".format(*self.range)
        if isinstance(self.default, bool):
            return "True | False"
        return " | ".join(self.choices)

    def having(self, **changes) -> "Option":
        """The same option as one model has it."""
        return dataclasses.replace(self, **changes)


OPTIMIZER = Option(
    "optimizer",
    "The optimizer; adam is lazy, adam_dense moves every row at every step.",
    default="adam",
    choices=("adam", "adam_dense", "adagrad", "sgd"),
    grid=paper("adam", "adagrad"),
)
EPOCHS = Option(
    "epochs",
    "Passes over the training data; validation chooses the one that counts.",
    default=500,  # the paper is silent
    range=(1, 100_000),
)

DIM = Option(
    "dim",
    "The dimension of a row of the tables.",
    range=(1, 4096),
    grid=paper(32, 64, 128),
    shapes_weights=True,
)
SELECT_BY = Option(
    "select_by",
    "The validation metric that chooses: nDCG@10, sampled or in the full catalogue.",
    default="ndcg10",  # the paper's protocol
    choices=("ndcg10", "full_ndcg10"),
    off="ndcg10",
)
#: What models have that `adapt` fits, without epochs.
FITTED = (EPOCHS.having(default=0, range=(0, 0)), SELECT_BY)

#: How every model is trained that is: values of §3.1 where it gives one.
TRAINING = (
    OPTIMIZER,
    Option(
        "learning_rate",
        "The optimizer's learning rate.",
        default=1e-3,
        range=(0.0, 100.0),
        grid=paper(1e-2, 1e-3, 1e-4, 1e-5),
    ),
    Option(
        "learning_rate_decay",
        "The learning rate is multiplied by this after each epoch; not in the paper.",
        default=1.0,
        range=(0.5, 1.0),
        off=1.0,
    ),
    DIM,
    Option(
        "batch_size",
        "Positive pairs of a step.",
        default=512,  # "for most datasets and baselines"
        range=(1, 1 << 20),
        grid=paper(128, 256, 512),
    ),
    EPOCHS,
    Option(
        "eval_every",
        "Epochs from one validation to the next.",
        default=50,
        range=(1, 100_000),
    ),
    Option(
        "patience",
        "Training ends after so many validations without a better one; 0: never.",
        default=0,
        range=(0, 100_000),
        off=0,
    ),
    SELECT_BY,
    Option(
        "dropout",
        "The rate at which coordinates of looked-up rows are zeroed in training.",
        range=(0.0, 0.99),
        grid=ours(0.0, 0.2, 0.5),
    ),
    Option(
        "init_scale",
        "Rows start uniform between -init_scale and init_scale; unset: by §3.1.",
        range=(0.0, 100.0),
    ),
)

NEGATIVES = Option(
    "negatives",
    "Negative items drawn for each positive pair.",
    default=1,
    range=(1, 1000),
    off=1,
)
ITEM_BIAS = Option(
    "item_bias",
    "Whether items have biases that add to their scores; not in the paper.",
    off=False,
    shapes_weights=True,
)

#: What models that learn from triplets have in common.
TRIPLETS = (
    NEGATIVES,
    Option(
        "negative_choice",
        "Each negative makes a triplet, or the hardest alone does (not in the paper).",
        choices=("each", "hardest"),
        off="each",
    ),
    Option(
        "negative_sampler",
        "How negatives are drawn: uniformly, or by popularity (a control).",
        default="uniform",
        choices=("uniform", "popularity"),
        off="uniform",
    ),
    ITEM_BIAS,
)

#: The pull-push loss of all metric models, Eq. 11.
PULL_PUSH = (
    Option(
        "margin",
        "The margin m of Eq. 11, in units of squared distance.",
        range=(0.0, 1e6),
        grid=paper(0.1, 0.2, 0.5),
    ),
    Option(
        "loss",
        "The positive part of Eq. 11: a hinge, or softplus (not in the paper).",
        choices=("hinge", "softplus"),
        off="hinge",
    ),
)
L2 = Option(
    "l2",
    "The weight of the squared norms of the rows of a triplet or pair.",
    range=(0.0, 1e6),
    grid=ours(0.0, 0.001, 0.003, 0.01, 0.03, 0.1),
)
CURVATURE = Option(
    "c",
    "The ball has the curvature -c; 0 is flat space.",
    range=(0.0, 1e6),
    shapes_weights=True,
)

#: How rows that are points of the Poincaré ball are moved.
ON_BALL = (
    Option(
        "retraction",
        "Eq. 14's R: by projection, the paper's, or along the geodesic, exp.",
        default="projection",
        choices=tuple(RETRACTIONS),
    ),
    Option(
        "rescale",
        "Whether gradients are rescaled as in Eq. 14; False is a control.",
        default=True,
        off=True,
    ),
)


def constructor_defaults(model: type) -> dict[str, Any]:
    """Keywords of a model's constructor, and of those it calls, with their defaults."""
    found: dict[str, Any] = {}
    for owner in model.__mro__[: model.__mro__.index(keras.Model)]:
        if "__init__" in vars(owner):
            taken = inspect.signature(vars(owner)["__init__"]).parameters.values()
            for given in taken:
                if given.kind is given.KEYWORD_ONLY and given.name != "embedding":
                    found.setdefault(given.name, given.default)
    return found
