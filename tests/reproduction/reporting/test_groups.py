import json

import pandas as pd
import pytest

from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting import groups


def rows(*runs):
    """Rows of a record; each run: model, hash, seed, ndcg10, and what differs."""
    made = []
    for model, config_hash, seed, ndcg, *more in runs:
        given = more[0] if more else {}
        settings = {"model": model, "epochs": 500, "c": 1.0} | given.get("config", {})
        made.append(
            dict.fromkeys(record.COLUMNS, 0)
            | {"dataset": "games", "model": model, "config_hash": config_hash}
            | {"variant": given.get("variant", ""), "config": json.dumps(settings)}
            | {"seed": seed, "ndcg10": ndcg, "valid_ndcg10": given.get("valid", ndcg)}
        )
    return pd.DataFrame(made, columns=list(record.COLUMNS))


def main(table, committed=None):
    def settings(_, name):
        return None if name.beyond else committed

    results = groups.results(table, settings, lambda *_: {})
    return results.row("games", "hyperml").config_hash


def test_mean_and_sample_deviation_by_hand():
    # Mean 20; squares of -2, 0, 2 sum to 8; 8 / (3 - 1) = 4; root 2.
    table = rows(
        ("cml", "a", 0, 0.18), ("cml", "a", 1, 0.20), ("cml", "a", 2, 0.22),
        ("cml", "b", 0, 0.9),
    )  # fmt: skip
    first, second = groups.group(table)
    assert (first.n, second.n) == (3, 1)
    assert first.mean("ndcg10") == pytest.approx(0.20)
    assert first.std("ndcg10") == pytest.approx(0.02)
    assert second.std("ndcg10") != second.std("ndcg10")  # no spread of one seed


def test_the_committed_configuration_stands_for_the_model_at_any_length():
    table = rows(
        ("hyperml", "tuned", 0, 0.9), ("hyperml", "tuned", 1, 0.9),
        ("hyperml", "ours", 0, 0.1, {"config": {"epochs": 20}}),
    )  # fmt: skip
    table.loc[:1, "config"] = json.dumps({"model": "hyperml", "epochs": 500, "c": 2.0})
    assert main(table, {"model": "hyperml", "epochs": 500, "c": 1.0}) == "ours"


def test_a_shorter_run_does_not_stand_for_the_committed_one_by_more_seeds():
    short = [("hyperml", "s", n, 0.9, {"config": {"epochs": 9}}) for n in (0, 1)]
    table = rows(*short, ("hyperml", "whole", 0, 0.1))
    committed = {"model": "hyperml", "epochs": 500, "c": 1.0}
    assert main(table, committed) == "whole"


def test_without_it_more_seeds_count_and_then_validation_never_test():
    one = ("hyperml", "lucky", 0, 0.9)
    two = [("hyperml", "two", seed, 0.1) for seed in (0, 1)]
    assert main(rows(one, *two)) == "two"
    worse_on_test = ("hyperml", "valid", 0, 0.1, {"valid": 0.95})
    assert main(rows(one, worse_on_test)) == "valid"


def test_a_committed_configuration_has_its_own_label_whatever_ran_it():
    chosen = {"config": {"c": 2.0}}
    table = rows(
        ("hyperml", "own", 0, 0.5),
        ("hyperml", "found", 0, 0.5, chosen),  # by a search
        ("hyperml", "found", 1, 0.5, chosen | {"variant": "+"}),
    )
    settings = {"hyperml": 1.0, "hyperml+": 2.0}

    def committed(_, name):
        return {"model": "hyperml", "epochs": 500, "c": settings[str(name)]}

    results = groups.results(table, committed, lambda *_: {})
    names = {str(key[1]): found.config_hash for key, found in results.main.items()}
    assert names == {"hyperml": "own", "hyperml+": "found"}


def test_a_labelled_variant_never_stands_for_the_model():
    table = rows(("hyperml", "a", 0, 0.9, {"variant": "c=2"}), ("hyperml", "b", 0, 0.1))
    assert main(table) == "b"


def test_a_sweep_holds_what_differs_in_its_field_alone():
    table = rows(
        ("hyperml", "centre", 0, 0.2),
        ("hyperml", "c2", 0, 0.3, {"config": {"c": 2.0}, "variant": "c=2"}),
        ("hyperml", "c4short", 0, 0.3, {"config": {"c": 4.0, "epochs": 20}}),
        ("cml", "other", 0, 0.3, {"config": {"c": 8.0}}),
    )
    all_groups = {g.config_hash: g for g in groups.group(table)}
    found = groups.sweep(list(all_groups.values()), all_groups["centre"], "c")
    assert {c: g.config_hash for c, g in found.items()} == {1.0: "centre", 2.0: "c2"}


def test_the_column_of_cml_is_the_better_on_validation():
    table = rows(
        ("cml", "a", 0, 0.9, {"valid": 0.2}), ("cml_warp", "b", 0, 0.1, {"valid": 0.3})
    )
    results = groups.results(table, lambda *_: None, lambda *_: {})
    assert results.of("games", "cml").model == "cml_warp"
    assert results.of("games", "lrml") is None


def test_an_option_that_an_older_run_does_not_name_is_off():
    assert groups.differing({"c": 1.0}, {"c": 2.0, "item_bias": False}) == {"c"}
    assert groups.differing({"c": 1.0}, {"c": 1.0, "item_bias": True}) == {"item_bias"}
