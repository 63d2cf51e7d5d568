"""The exact index on the points of the softmax recommenders."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.serving import catalogue, exact
from tests.models.test_softmax import CASES, ITEMS, USERS, model_of, slow_score


@pytest.mark.parametrize("case", CASES)
def test_the_exact_index_gives_the_models_order(case):
    model = model_of(case)
    points = model.retrieval_points()
    index = exact.ExactIndex(
        catalogue.Catalogue(points.measure, points.items), points.users
    )
    found, _ = index.top(points.users, tf.fill([USERS, 1], ITEMS), tf.constant(7))
    rows = [t.table.numpy() for t in (model.user_table, model.item_table)]
    formula = np.array([[slow_score(model, u, v) for v in rows[1]] for u in rows[0]])
    np.testing.assert_array_equal(found, np.argsort(-formula, axis=1)[:, :7])
