"""Gromov's δ against known graphs, and the four-point condition the slow way."""

import itertools

import numpy as np
import pytest
import scipy.sparse

from hyperml_tf.reproduction import hyperbolicity


def graph(edges, nodes):
    """[nodes, nodes] with a link both ways for each edge."""
    one, other = np.array(edges).T
    links = scipy.sparse.coo_matrix((np.ones(len(one)), (one, other)), (nodes, nodes))
    return (links + links.T).tocsr()


def distances(edges, nodes):
    return hyperbolicity.hops(graph(edges, nodes), np.arange(nodes))


def by_four_points(d, base):
    """δ: half of how far the larger two of three sums of distances are apart."""
    worst = 0.0
    for x, y, z in itertools.product(range(len(d)), repeat=3):
        sums = sorted(
            [d[base, x] + d[y, z], d[base, y] + d[x, z], d[base, z] + d[x, y]]
        )
        worst = max(worst, (sums[2] - sums[1]) / 2)
    return worst


def test_a_tree_has_none():
    edges = [(child, (child - 1) // 2) for child in range(1, 63)]
    assert hyperbolicity.relative_delta(distances(edges, 63)) == 0


def test_a_complete_graph_has_none():
    edges = list(itertools.combinations(range(6), 2))
    assert hyperbolicity.relative_delta(distances(edges, 6)) == 0


@pytest.mark.parametrize("quarter", [1, 2, 5])
def test_a_cycle_of_4k_has_the_most(quarter):
    nodes = 4 * quarter
    edges = [(node, (node + 1) % nodes) for node in range(nodes)]
    # δ = k and the diameter is 2k.
    assert hyperbolicity.relative_delta(distances(edges, nodes)) == 1


def test_it_is_the_four_point_condition(rng):
    edges = [(node, int(rng.integers(node))) for node in range(1, 16)]
    edges += [tuple(rng.choice(16, 2, replace=False)) for _ in range(6)]
    d = distances(edges, 16)
    expected = 2 * by_four_points(d, 0) / d.max()
    assert hyperbolicity.relative_delta(d) == pytest.approx(expected)
    assert expected > 0


def test_items_are_linked_to_those_that_share_most_users():
    # Two pairs of items that go together; the users of one pair never see the other.
    rows = [[1, 1, 0, 0]] * 3 + [[0, 0, 1, 1]] * 3
    links = hyperbolicity.item_graph(scipy.sparse.csr_matrix(np.array(rows)))
    expected = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    np.testing.assert_array_equal(links.toarray(), expected)


def test_of_a_dataset_it_is_the_same_each_time(make_interactions, rng):
    chosen = [sorted(rng.choice(30, 6, replace=False)) for _ in range(40)]
    interactions = make_interactions(chosen, 30)
    found = hyperbolicity.of_items(interactions)
    assert found == hyperbolicity.of_items(interactions)
    assert 0 <= found.delta <= 1
    assert 0 < found.linked <= 1
