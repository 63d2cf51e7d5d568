"""The parts of the search that need no training."""

import pytest

from hyperml_tf.experiments import config as configs
from hyperml_tf.experiments import search


@pytest.mark.parametrize(
    "epochs, eval_every, candidates, ends",
    [
        (300, 50, 12, [100, 300]),  # 300/9 = 33 is shorter than one validation
        (500, 50, 12, [50, 150, 500]),  # 55 and 166, rounded down to validations
        (90, 10, 27, [10, 30, 90]),
        (90, 10, 2, [90]),  # nothing to halve
        (10, 50, 12, [10]),
    ],
)
def test_rungs_are_thirds_at_validations(epochs, eval_every, candidates, ends):
    assert search.rungs(epochs, eval_every, candidates) == ends


def test_the_full_grid_is_the_papers_times_regularisation():
    config = configs.for_model("hyperml", "games")
    space = search.grid(config)
    # 2 optimizers, 4 rates, 3 dims, 3 batches, 6 weights, 3 margins, 3 dropouts
    points = search.draw(space, None, {field: config[field] for field in space})
    assert len(points) == 2 * 4 * 3 * 3 * 6 * 3 * 3
    assert len({tuple(point.items()) for point in points}) == len(points)


def test_a_budget_draws_different_points_and_begins_with_the_committed_one():
    config = configs.for_model("mf_bpr", "games")
    space = search.grid(config)
    assert {"l2", "dropout"} < set(space) and "margin" not in space
    committed = {field: config[field] for field in space}
    points = search.draw(space, 12, committed)
    assert points[0] == committed and len(points) == 12
    assert all(points.count(point) == 1 for point in points)
    assert points == search.draw(space, 12, committed)
    assert all(point[f] in space[f] for point in points for f in space)


def test_values_of_ones_own_replace_the_grids_and_unknown_fields_are_refused():
    config = configs.for_model("cml", "games")
    space = search.space_of(config, {"l2": 1}, {"negatives": [1, 3], "margin": [0.3]})
    assert space["negatives"] == [1, 3] and space["margin"] == [0.3]
    assert "distortion_weight" not in space
    assert "dropout" not in search.space_of(config, {"dropout": 0.2}, {})
    with pytest.raises(configs.ConfigError, match="cml has no field 'c'"):
        search.space_of(config, {}, {"c": [1, 2]})
