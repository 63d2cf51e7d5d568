"""What is trained: a model's settings on a dataset, checked, and what tells them apart.

A file of `run_configs/` gives an `ml_collections.ConfigDict`, whose fields flags can
change; `resolve` makes a `Configuration` of it, which nothing changes. A model's
config has the fields of the model's `Definition` and no others, so a setting that
would be ignored is an error.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import ml_collections
from ml_collections import config_dict

from hyperml_tf.models import DEFINITIONS, Definition
from hyperml_tf.models.options import NEVER, ConfigError

#: Marks settings with options beyond the paper.
BEYOND = "+"

#: A departure that is no option: the name of the run that another starts from.
STARTED = "start_from"

#: Option -> the value that turns it off; one that an older run does not name was off.
OFF: dict[str, Any] = {
    option.name: option.off
    for definition in DEFINITIONS.values()
    for option in definition.options
    if option.off is not NEVER
}
#: Options that a model had once, at the value at which it did without them.
_RETIRED = {"score": "distance", "origin_weight": 0.0}
# Fields of a config file's config that say what a row is called.
_LABELS = ("variant", "paper")


class Name(NamedTuple):
    """What committed settings are known by: a model, and whether they go beyond.

    In text, on command lines and in `CHOSEN` of config files, `hyperml` and `hyperml+`.
    """

    model: str
    beyond: bool = False

    def __str__(self) -> str:
        return self.model + BEYOND * self.beyond

    @property
    def title(self) -> str:
        """For tables and figures: "HyperML", "HyperML +"."""
        return DEFINITIONS[self.model].title + f" {BEYOND}" * self.beyond


def parse_name(text: str | Name) -> Name:
    """The name that a text says."""
    text = str(text)
    return Name(text.removesuffix(BEYOND), text.endswith(BEYOND))


@dataclasses.dataclass(frozen=True)
class Configuration:
    """The settings of a model on a dataset, as runs have them.

    A setting is also an attribute: `config.dim`.

    Attributes:
        dataset: key.
        model: key.
        settings: option -> value.
        beyond: whether these are its settings with options beyond the paper.
        departures: swept option -> value as given, where a sweep changes settings; and
            `STARTED` -> the run that it starts from.
        paper: nDCG@10 and HR@10 that the paper prints, if it does.
    """

    dataset: str
    model: str
    settings: Mapping[str, Any]
    beyond: bool = False
    departures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    paper: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name == "settings" or name not in self.settings:
            raise AttributeError(f"this configuration has no {name!r}")
        return self.settings[name]

    def __contains__(self, name: str) -> bool:
        return name in self.settings

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    def get(self, name: str, default: Any = None) -> Any:
        """A setting; `default` where the model does not have it."""
        return self.settings.get(name, default)

    @property
    def definition(self) -> Definition:
        """The model's."""
        return DEFINITIONS[self.model]

    @property
    def name(self) -> Name:
        """What the settings that these are, or that a sweep changed, are known by."""
        return Name(self.model, self.beyond)

    @property
    def variant(self) -> str:
        """How the record tells rows of a model apart: "", "+", "c=0.5", "+ c=0"."""
        return variant(self.beyond, self.departures)

    @property
    def identity(self) -> dict[str, Any]:
        """What changes numbers, without labels."""
        return {"dataset": self.dataset, "model": self.model, **self.settings}

    def to_dict(self) -> dict[str, Any]:
        """What `config.json` holds; `recorded` takes it back."""
        labels = {"variant": self.variant, "paper": dict(self.paper)}
        return dict(sorted((self.identity | labels).items()))


def variant(beyond: bool, departures: Mapping[str, str]) -> str:
    """A variant as text: "+ c=0" are settings beyond the paper with another c."""
    changes = (f"{name}={value}" for name, value in departures.items())
    return " ".join([*([BEYOND] if beyond else []), *changes])


def parse_variant(text: str) -> dict[str, Any]:
    """Its fields of a `Configuration`: `beyond` and `departures`."""
    words = text.split()
    changes = (word.partition("=") for word in words if word != BEYOND)
    departures = {name: value for name, _, value in changes}
    return {"beyond": BEYOND in words, "departures": departures}


def for_model(
    name: str | Name,
    dataset: str | None = None,
    paper: Mapping[str, tuple[float, float]] | None = None,
    training: Mapping[str, Any] | None = None,
    chosen: Mapping[str, Mapping[str, Any]] | None = None,
) -> ml_collections.ConfigDict:
    """The config of a model: its defaults, with what a dataset's file changes.

    Args:
        name: key of a model; with a `+` after it, the model's settings with options
            beyond the paper.
        dataset: dataset key.
        paper: model -> nDCG@10 and HR@10 of Tables 2 and 3.
        training: fields for every model that is trained.
        chosen: name -> fields; those of `hyperml+` come on top of those of `hyperml`.

    Raises:
        ConfigError: unknown name, or a field that the model does not have.
    """
    chosen, name = chosen or {}, parse_name(name)
    model = name.model
    if model not in DEFINITIONS:
        raise ConfigError(f"unknown model {model!r}; one of: {', '.join(DEFINITIONS)}")
    if name.beyond and str(name) not in chosen:
        raise ConfigError(f"no settings beyond the paper for {model} on {dataset}")
    definition = DEFINITIONS[model]
    fields = {
        option.name: config_dict.placeholder(option.kind)
        if option.default is None
        else option.default
        for option in definition.options
    }
    printed = (paper or {}).get(str(name))
    config = ml_collections.ConfigDict(
        {
            "dataset": config_dict.placeholder(str),
            "model": model,
            "variant": variant(name.beyond, {}),
            "paper": {"ndcg10": printed[0], "hr10": printed[1]} if printed else {},
            **fields,
        }
    )
    config.dataset = dataset
    for changes in (
        training if definition.trains else None,
        chosen.get(model),
        chosen.get(str(name)),
    ):
        for field, value in (changes or {}).items():
            if field not in config:
                raise ConfigError(f"{model} has no field {field!r} to set on {dataset}")
            config[field] = value
    return config


def resolve(config: ml_collections.ConfigDict) -> Configuration:
    """Fills in what depends on other fields, and checks every value.

    Raises:
        ConfigError: a field out of its range, or without a value.
    """
    found = recorded(config.to_dict())
    absent = found.definition.defaults.keys() - found.settings.keys()
    if absent:
        raise ConfigError(
            f"{found.model} needs config.{min(absent)}; choose the model by "
            f"--config=FILE:{found.model}"
        )
    if found.dataset is None:
        raise ConfigError("config.dataset is not set; give --config.dataset=…")
    complete = found.definition.checked(found.settings)
    return dataclasses.replace(found, settings=complete)


def recorded(fields: Mapping[str, Any], variant: str | None = None) -> Configuration:
    """The configuration that a run wrote down, maybe before options were added.

    Args:
        fields: what `to_dict` gives, with or without labels.
        variant: another variant than that of `fields`.

    Raises:
        ConfigError: no model of this name, or an option that it does not have.
    """
    given = dict(fields)
    text, printed = given.pop("variant", ""), given.pop("paper", {})
    dataset, model = given.pop("dataset"), given.pop("model")
    if model not in DEFINITIONS:
        raise ConfigError(f"unknown model {model!r}; one of: {', '.join(DEFINITIONS)}")
    for name in given.keys() - DEFINITIONS[model].defaults.keys():
        if given.pop(name) != _RETIRED.get(name, NEVER):
            raise ConfigError(
                f"{model} has no option {name!r}; the score by product and its "
                "origin_weight are those of hyperbolic_mf now"
                if name in _RETIRED
                else f"{model} has no option {name!r}; one of: "
                + ", ".join(DEFINITIONS[model].defaults)
            )
    labels = parse_variant(text if variant is None else variant)
    return Configuration(dataset, model, given, paper=printed, **labels)


def completed(config: Configuration) -> Configuration:
    """A recorded configuration with the options added since, which were off then."""
    later = {
        option.name: option.default if option.off is NEVER else option.off
        for option in config.definition.options
        if option.name not in config
    }
    return dataclasses.replace(config, settings={**config.settings, **later})


def name_of(config: Mapping[str, Any]) -> Name:
    """What a config file's config is loaded by."""
    return Name(config["model"], parse_variant(config["variant"])["beyond"])


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
    """The fields of a config file's config that change numbers, without labels."""
    return {k: v for k, v in config.to_dict().items() if k not in _LABELS}


def config_hash(config: Configuration, fingerprint: str, origin: str = "") -> str:
    """12 hexadecimal digits over settings that are not off and the prepared data.

    And over the name of the run that it starts from, if it does.
    """
    chosen = config.definition.hashed(config.settings)
    chosen |= {"dataset": config.dataset, "model": config.model}
    canonical = json.dumps(chosen, sort_keys=True) + fingerprint + origin
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def described(config: ml_collections.ConfigDict) -> str:
    """The fields of a config, for a reader: value, possible values, what each sets."""
    definition = DEFINITIONS[config.model]
    lines = [f"fields of {definition.title} on {config.dataset or 'a dataset'}:"]
    for option in definition.options:
        flag = f"--config.{option.name}={config[option.name]}"
        lines += [f"  {flag:<34} [{option.values}]", f"      {option.help}"]
    return "\n".join(lines)
