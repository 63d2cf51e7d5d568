"""Verdicts, the leading rows and the variants, from runs with known ranks."""

import numpy as np
import pandas as pd
import pytest

from hyperml_tf.reproduction.reporting import (
    comparisons,
    formats,
    result_frames,
    tables,
)
from hyperml_tf.reproduction.reporting.sources import gather

USERS = 40
FIRST, MISSED = [1.0] * USERS, [50.0] * USERS
HALF = [1.0, 50.0] * (USERS // 2)


@pytest.fixture
def sources(make_run, tmp_path):
    """HyperML hits always, CML for every other user, MF-BPR and γ = 0 never."""
    make_run(ndcg=0.5, ranks=HALF, distortion_weight=0.1)
    make_run(
        config_hash="b" * 12, ndcg=0.9, ranks=FIRST, valid=0.9,
        variant="+", distortion_weight=0.1, negatives=3,
    )  # fmt: skip
    make_run(
        config_hash="c" * 12, ndcg=0.1, ranks=MISSED,
        variant="distortion_weight=0.0", distortion_weight=0.0,
    )  # fmt: skip
    make_run(model="cml", config_hash="d" * 12, ndcg=0.5, ranks=HALF)
    make_run(
        model="cml", config_hash="f" * 12, ndcg=0.1, ranks=MISSED, variant="+", dim=128
    )
    make_run(model="mf_bpr", config_hash="e" * 12, ndcg=0.1, ranks=MISSED)
    return gather(tmp_path / "runs", tmp_path / "data")


def shown(sources, name, significance=None):
    tests = sources.significance if significance is None else significance
    made = {table.name: table for table in tables.of_results(sources.results, tests)}
    return made[name]


def test_a_claim_holds_fails_or_stays_open(sources):
    table = shown(sources, "claims")
    found = {(row[0], row[2]): (*row[3:5], row[-1]) for row in table.rows}
    # The row beyond the paper does not stand in for the paper's model.
    key = result_frames.CLAIMS["cml"], "HR@10"
    assert found[key] == ("HyperML", "CML", "undecided")
    key = result_frames.CLAIMS["options"], "HR@10"
    assert found[key] == ("HyperML +", "CML +", "holds")
    key = result_frames.CLAIMS["bpr"], "HR@10"
    assert found[key] == ("MF-BPR", "CML", "fails")
    key = "HyperML is worse at γ = 0 (§3.6)", "nDCG@10"
    assert found[key][-1] == "holds"


def test_verdicts_of_both_metrics_stand_in_one_cell():
    ndcg, hr, claim = "nDCG@10", "HR@10", ["claim", "dataset", "metric_title"]
    given = [
        ["A", "games", ndcg, 0.01, "holds"],
        ["A", "games", hr, 0.02, "holds"],
        ["A", "sports", ndcg, -0.01, "fails"],
        ["A", "sports", hr, 0.001, "undecided"],
        ["B", "games", hr, 0.03, "holds"],
        ["C", "games", ndcg, -0.001, formats.BLANK],
        ["C", "games", hr, -0.002, formats.BLANK],
        ["A", "ml100k", hr, 0.09, "holds"],  # no dataset of the paper
    ]
    table = tables._glance(
        pd.DataFrame(given, columns=[*claim, "difference", "verdict"])
    )
    assert table.header == ["Claim", "Sports", "Games"]
    assert table.rows == [
        ["A", "fails −1.00 / undecided +0.10", "holds +1.00 / +2.00"],
        ["B", formats.BLANK, "holds +3.00 (HR@10)"],
        ["C", formats.BLANK, "−0.10 / −0.20"],
    ]


def test_without_a_dataset_of_the_paper_there_are_no_verdicts():
    columns = ["claim", "dataset", "metric_title", "difference", "verdict"]
    given = [["A", "ml100k", "HR@10", 0.09, "holds"]]
    # And the table is left out.
    assert not tables._glance(pd.DataFrame(given, columns=columns)).rows


def test_variants_that_no_claim_is_about_leave_its_p_alone(sources):
    tests = sources.significance
    of_gamma = tests["pair"].str.contains("distortion_weight")
    tests = tests.assign(p=np.where(of_gamma, 0.02, 0.9), p_holm=np.nan)
    family = comparisons.merged(tests, tests.iloc[:0])
    assert set(family[family["pair"].str.contains("distortion_w")]["p_holm"]) == {0.06}
    table = shown(sources, "claims", family)
    assert {row[7] for row in table.rows if "γ = 0" in row[0]} == {"0.020"}


@pytest.mark.parametrize(
    "interval, p, said",
    [
        ([0.1, 0.2], 0.01, "holds"),
        ([-0.2, -0.1], 0.01, "fails"),
        ([0.1, 0.2], 0.2, "undecided"),  # the test does not see it
        ([-0.1, 0.2], 0.01, "undecided"),  # the interval holds 0
        ([0.1, 0.2], np.nan, "undecided"),
    ],
)
def test_interval_and_test_must_agree(interval, p, said):
    low, high = interval
    assert result_frames.verdict({"low": low, "high": high, "p_holm": p}) == said


def test_the_leading_rows_are_named_with_their_options(sources):
    table = shown(sources, "lead")
    assert [row[2] for row in table.rows] == ["HyperML +"] * 2
    assert [row[4] for row in table.rows] == ["CML"] * 2
    # Hits: all against every other user's.
    assert {row[-1] for row in table.rows} == {"yes"}
    assert [row[6] for row in table.rows if row[1] == "HR@10"] == ["+50.00"]


def test_variants_are_told_by_what_they_change(sources):
    table = shown(sources, "variants")
    rows = {row[2]: row for row in table.rows}
    assert set(rows) == {"negatives 3", "dim 128", "distortion_weight 0"}
    assert rows["negatives 3"][8] == "+50.00"  # HR@10
    assert rows["distortion_weight 0"][8] == "−50.00"
    # `make_run` writes a tenth of the sampled metric for the full catalogue.
    assert rows["distortion_weight 0"][10:] == ["1.00", "5.00"]


def test_a_variant_beyond_the_paper_is_held_against_that_row(
    sources, make_run, tmp_path
):
    make_run(
        config_hash="f" * 12, ndcg=0.1, ranks=MISSED,
        variant="+ negatives=5", distortion_weight=0.1, negatives=5,
    )  # fmt: skip
    sources = gather(tmp_path / "runs", tmp_path / "data")
    table = shown(sources, "variants")
    (row,) = (row for row in table.rows if row[2] == "negatives 5")
    # All hit by HyperML +, half by HyperML.
    assert (row[1], row[8]) == ("HyperML +", "−100.00")


def test_a_model_that_alters_another_is_held_against_that_one(make_run, tmp_path):
    make_run(model="hyperts", ranks=HALF)
    make_run(
        model="hyperbolic_mf", config_hash="b" * 12, ranks=FIRST, origin_weight=0.5
    )
    make_run(
        model="hyperbolic_mf", config_hash="c" * 12, ranks=MISSED, origin_weight=0.0,
        variant="origin_weight=0.0",
    )  # fmt: skip
    sources = gather(tmp_path / "runs", tmp_path / "data")
    table = shown(sources, "variants")
    found = {(row[1], row[2]): row[8] for row in table.rows}  # HR@10
    assert found == {
        ("HyperTS", "Hyperbolic MF: origin_weight 0.5"): "+50.00",
        ("Hyperbolic MF", "origin_weight 0"): "−100.00",
    }


def test_dimensions_are_compared_at_equal_d(sources, make_run, tmp_path):
    for label, model, ranks in (("1", "hyperml", HALF), ("2", "cml", FIRST)):
        base = {"dim": 64, "init_scale": 0.01}
        make_run("sports", model, label * 12, ranks=FIRST, **base)
        changed = base | {"dim": 8, "init_scale": 0.02, "variant": "dim=8"}
        make_run("sports", model, label * 11 + "8", ranks=ranks, **changed)
    # HyperML alone has d 16.
    changed |= {"dim": 16, "variant": "dim=16"}
    make_run("sports", config_hash="1" * 10 + "16", ranks=HALF, **changed)
    sources = gather(tmp_path / "runs", tmp_path / "data")
    table = shown(sources, "dimensions")
    assert [row[:3] for row in table.rows] == [
        ["Sports", "8", "1"],
        ["Sports", "64", "1"],
    ]
    assert [row[9] for row in table.rows] == ["−50.00", "+0.00"]  # HR@10
    assert table.rows[0][11:] == ["2.50", "2.50"]  # full catalogue
