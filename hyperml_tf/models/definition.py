"""One definition a model: its options, its title, its place in the paper.

Each model's file ends with its `Definition`. From there come the registry, the config
flags and their help, the checks, the search space, the config hash and the arguments
of the constructor.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from hyperml_tf.models.base import Recommender
from hyperml_tf.models.options import (
    OF_CONSTRUCTOR,
    ConfigError,
    Option,
    constructor_defaults,
)


@dataclasses.dataclass(frozen=True)
class Definition:
    """All that is said of a model outside its formulas.

    Attributes:
        key: its name in configs, flags and run folders.
        title: its name in tables and figures.
        model: its class.
        options: its settings and those of its training, in the order in which help
            and searches have them.
        hyperbolic: whether it measures in hyperbolic space.
        table: the table of the paper that has its numbers; None: not in the paper.
        column: the model in whose column of Table 2 it competes, beside that model.
        parts: models that it starts from, trained before it.
        alters: the model of which it is a variant, and which it is compared with.
        reference: whether it is a reference row beyond the paper: no model of the
            paper's, nor a variant of one, but what a claim to lead must stand beside.
        conflict: says what is wrong with settings that exclude each other, else "".
    """

    key: str
    title: str
    model: type[Recommender]
    options: tuple[Option, ...]
    hyperbolic: bool = False
    table: int | None = None
    column: str = ""
    parts: tuple["Definition", ...] = ()
    alters: str = ""
    reference: bool = False
    conflict: Callable[[Mapping[str, Any]], str] = lambda settings: ""

    def __post_init__(self):
        known = constructor_defaults(self.model)
        options = (
            option.having(default=known.get(option.name, option.default))
            for option in self.options
        )
        object.__setattr__(self, "options", tuple(options))
        for option in self.options:
            if option.default is OF_CONSTRUCTOR:
                raise ValueError(f"{self.key}: who takes {option.name}?")
        self.model.options = self.options

    def __contains__(self, name: str) -> bool:
        return any(option.name == name for option in self.options)

    def __getitem__(self, name: str) -> Option:
        return next(option for option in self.options if option.name == name)

    @property
    def defaults(self) -> dict[str, Any]:
        """Option -> its default."""
        return {option.name: option.default for option in self.options}

    @property
    def trains(self) -> bool:
        """Whether there is anything to train."""
        return bool(self["epochs"].default)

    @property
    def grid(self) -> dict[str, tuple]:
        """Searched option -> the values to try."""
        return {o.name: o.grid.values for o in self.options if o.grid}

    def checked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, with what follows from others filled in.

        Raises:
            ConfigError: an impossible value, or settings that exclude each other.
        """
        for option in self.options:
            option.check(settings[option.name])
        if problem := self.conflict(settings):
            raise ConfigError(problem)
        complete = dict(settings)
        if complete.get("init_scale", 0.0) is None:
            complete["init_scale"] = self.model.initial_scale(complete["dim"])
        return complete

    def hashed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Those settings that are not off."""
        return {k: v for k, v in settings.items() if self[k].off != v}

    def build(
        self, num_users: int, num_items: int, seed: int, settings: Mapping[str, Any]
    ) -> Recommender:
        """The untrained model.

        Args:
            num_users: U.
            num_items: I.
            seed: root of initialisation and dropout.
            settings: complete ones; what the constructor does not take is training's.
        """
        taken = constructor_defaults(self.model)
        arguments = {k: v for k, v in settings.items() if k in taken and k in self}
        return self.model(num_users, num_items, seed=seed, **arguments)
