"""What a run starts from: the weights of a finished run, carried over by raw id.

The rows of users and items that both datasets have are those that the finished run
ended with; all others, and the optimizer, start as in any run.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from hyperml_tf.data import prepared
from hyperml_tf.data.interactions import Interactions
from hyperml_tf.errors import InputError
from hyperml_tf.models import Recommender
from hyperml_tf.training import configuration as configs
from hyperml_tf.training import finished
from hyperml_tf.training.configuration import Configuration
from hyperml_tf.training.run_folder import Run
from hyperml_tf.training.trainer import seeds


class Origin(NamedTuple):
    """A finished run to start from.

    Attributes:
        run: its folder.
        config: its settings.
        ids: "users" and "items" -> their raw ids, by row.
    """

    run: Run
    config: Configuration
    ids: Mapping[str, Sequence[str]]

    def check(self, config: Configuration, data: Interactions) -> None:
        """Refuses a run whose weights would mean something else here.

        Raises:
            InputError: another model, an option that the weights depend on differs, or
                what is held out may be among what the run was trained on.
        """
        where = f"--start_from={self.run.folder}"
        if config.model != self.config.model:
            raise InputError(
                f"{where} is a run of {self.config.model}, and this is one of "
                f"{config.model}; give a run of the same model"
            )
        if not config.definition.trains:
            raise InputError(
                f"{where}: {config.model} is fitted in one pass and starts from "
                "nothing; leave --start_from out"
            )
        before = configs.completed(self.config)
        for option in config.definition.options:
            ours, theirs = config.get(option.name), before.get(option.name)
            if option.shapes_weights and ours != theirs:
                raise InputError(
                    f"{where} has {option.name} = {theirs}, and weights trained so are "
                    f"of no use at {ours}; give --config.{option.name}={theirs}"
                )
        if data.num_held_out and self.run.on_all_data:
            raise InputError(
                f"{where} was trained on all data, so it may know what {data.name} "
                "holds out, and its metrics would be too good; give --all_data, or a "
                "run with held-out items"
            )

    def carry_over(self, model: Recommender, data: Interactions) -> None:
        """Gives `model` the weights of the run, row by row where ids are known.

        Raises:
            InputError: the datasets have no user or no item in common.
        """
        sizes = len(self.ids["users"]), len(self.ids["items"])
        build = self.config.definition.build
        other = build(*sizes, seeds(self.run.seed)[0], self.config.settings)
        finished.read_best(other, self.run)
        rows = {
            "users": _rows(data.user_ids, self.ids["users"]),
            "items": _rows(data.item_ids, self.ids["items"]),
        }
        known = {side: int((row >= 0).sum()) for side, row in rows.items()}
        if not all(known.values()):
            raise InputError(
                f"--start_from={self.run.folder} has none of the users or none of the "
                f"items of {data.name}; give a run on the same shop's ids"
            )
        model.carry_over(other, rows)
        logging.info(
            "starting from %s: %s of %s users and %s of %s items are carried over",
            self.run.folder,
            *(f"{n:,}" for n in (known["users"], data.num_users)),
            *(f"{n:,}" for n in (known["items"], data.num_items)),
        )


def find(folder: str | None, data_dir: str | pathlib.Path) -> Origin:
    """The finished run in a folder, with the raw ids of its rows.

    Raises:
        InputError: no finished run, or one that kept no ids and whose dataset is not
            prepared as it was.
    """
    run = finished.find(folder, "--start_from")
    config = configs.recorded(run.config)
    ids: Mapping[str, Sequence[str]] | None = run.ids()
    if ids is None:  # a run of before they were kept
        data = prepared.load(config.dataset, data_dir)
        if run.on_all_data:
            data = data.unsplit()
        if data.fingerprint != run.environment.get("data_fingerprint"):
            raise InputError(
                f"--start_from={folder} kept no ids of its rows, and "
                f"{pathlib.Path(data_dir, config.dataset)} is not what it was trained "
                "on; put that folder into --data_dir, or train the run again"
            )
        ids = {"users": data.user_ids, "items": data.item_ids}
    return Origin(run, config, ids)


def _rows(ids: Sequence[str], before: Sequence[str]) -> np.ndarray:
    """Where each id stood before, -1 for new ones."""
    place = {raw: row for row, raw in enumerate(before)}
    return np.array([place.get(raw, -1) for raw in ids], np.int64)
