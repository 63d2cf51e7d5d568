"""Distances, measures and layouts, on embeddings written by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from hyperml_tf.reproduction.reporting import disk, embeddings, figures, measures
from hyperml_tf.reproduction.reporting.embeddings import Embedding


@pytest.fixture
def embedding(rng, make_interactions):
    interactions = make_interactions(
        [[0, 1], [2, 3, 3], [4]], num_items=8, test=[5, -1, 5]
    )
    users, items = rng.uniform(-0.5, 0.5, (3, 2)), rng.uniform(-0.5, 0.5, (8, 2))
    return Embedding(None, interactions, users, items, hyperbolic=True)


def test_distances_equal_equation_4(embedding):
    found = embedding.distances(embedding.users, embedding.items)
    for i, u in enumerate(embedding.users):
        for j, v in enumerate(embedding.items):
            room = (1 - u @ u) * (1 - v @ v)
            expected = np.arccosh(1 + 2 * (u - v) @ (u - v) / room)
            assert found[i, j] == pytest.approx(expected, abs=1e-7)
    flat = dataclasses.replace(embedding, hyperbolic=False)
    assert flat.distances(np.eye(2), np.eye(2)) == pytest.approx(
        np.array([[0, 2**0.5], [2**0.5, 0]])
    )


def test_nearest_neighbours_equal_a_search_by_hand(embedding):
    items = embedding.trained_items
    assert items.tolist() == [0, 1, 2, 3, 4]
    found = measures.nearest(embedding, items)
    for i in range(5):
        d = [
            embedding.distances(embedding.items[[i]], embedding.items[[j]])[0, 0]
            for j in range(5)
        ]
        assert found[i].tolist() == sorted(set(range(5)) - {i}, key=lambda j: d[j])


def test_purity_by_hand():
    # Four items in two pairs of a genre each; neighbours: the partner and a stranger.
    indicators = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)
    neighbours = np.array([[1, 2], [0, 2], [3, 0], [2, 0]])
    found = measures.purity(neighbours, indicators)
    assert found.observed == (0.5, 0.5, 0.5)
    # Dealt out at random, any other item is the partner in one case of three.
    assert found.permuted.value == pytest.approx(1 / 3, abs=0.05)


def test_an_interval_agrees_with_the_normal_one(rng):
    points = np.stack([rng.normal(0.5, 0.1, 4000), np.zeros(4000)], axis=1)
    found = measures.mean_norm(points)
    half = 1.96 * np.std(points[:, 0]) / 4000**0.5
    assert found.value == pytest.approx(points[:, 0].mean(), abs=1e-3)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert measures.norm_spread(points).value == pytest.approx(0.2, abs=0.01)
    assert measures.norm_ratio(points, 2 * points).value == pytest.approx(0.5)


def test_a_point_in_the_disk_keeps_its_norm_and_its_angle(rng):
    plane, norms = rng.normal(size=(50, 2)), rng.uniform(0, 1, 50)
    placed = disk.on_disk(plane, norms)
    assert np.linalg.norm(placed, axis=1) == pytest.approx(norms)
    angle, expected = np.arctan2(*placed.T), np.arctan2(*plane.T)
    assert angle == pytest.approx(expected)


def test_tsne_is_repeatable_and_keeps_groups_together(rng):
    points = np.concatenate([rng.normal(c, 0.1, (20, 3)) for c in (0, 5)])
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    plane = disk.tsne(distances)
    assert np.array_equal(plane, disk.tsne(distances))
    apart = np.linalg.norm(plane[:20].mean(0) - plane[20:].mean(0))
    assert apart > 2 * plane[:20].std()


def test_the_sample_is_of_test_users_and_their_items(embedding):
    users, items = disk.sample(embedding)
    assert (users.tolist(), items.tolist()) == ([0, 2], [5])


def test_genres_leave_out_what_is_none(embedding):
    table = pd.DataFrame({"genres": ["Drama|War", "unknown", "", *["War"] * 5]})
    embedding.interactions.__dict__["items"] = table
    indicators, names = embeddings.genres(embedding.interactions)
    assert names == ["Drama", "War"]
    assert indicators[:3].tolist() == [[True, True], [False, False], [False, False]]
    # Most interactions first: item 3 has two; 1 and 2 are of no genre.
    assert disk.popular(embedding, indicators).tolist() == [3, 0, 4]


@pytest.mark.parametrize("trained", [["unknown", "", ""], ["War", "", ""]])
def test_without_two_trained_items_of_a_genre_there_is_nothing_to_show(
    embedding, trained
):
    # Items 5 to 7 have no training interaction.
    table = pd.DataFrame({"genres": [*trained, "", "", "War", "War", "Drama"]})
    embedding.interactions.__dict__["items"] = table
    assert embeddings.genres(embedding.interactions) is None


def test_panels_have_equal_aspect_the_boundary_and_a_legend(rng):
    figures.use_style()
    points = rng.uniform(-0.5, 0.5, (30, 2))
    drawing = disk.disks({"Games": (points, points), "Yelp": (points, points)})
    for axes in drawing.axes:
        assert axes.get_aspect() == 1.0
        (circle,) = axes.patches
        assert circle.get_radius() == 1 and not circle.get_fill()
    labels = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert sorted(labels) == ["items", "users"]
