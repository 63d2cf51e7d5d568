"""How like a tree a dataset's items lie: Gromov's δ of the graph of their neighbours.

Items are linked to those most similar to them, by the cosine of `itemknn`. With d the
number of links between two items and w one of them,

    (x|y) = (d(w,x) + d(w,y) - d(x,y)) / 2
    δ = the largest min((x|z), (z|y)) - (x|y) over all x, y, z

and δ relative to the diameter, 2δ / max d, is 0 for a tree and at most 1 (Fournier,
Ismail & Vigneron 2015; Khrulkov et al. 2020).
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse
from scipy.sparse import csgraph

from hyperml_tf.data.interactions import Interactions
from hyperml_tf.models import item_item, item_knn

#: Links of an item to others; more come from those who chose it.
NEIGHBOURS = 10
#: Under the cosine, see `ItemKNN`: against links by one user.
SHRINKAGE = 10.0
#: δ is of so many items at a time, and the mean over so many draws of them.
SAMPLE, DRAWS = 300, 10


class Hyperbolicity(NamedTuple):
    """What was measured.

    Attributes:
        delta: mean of 2δ / max d over the draws.
        delta_std: its sample standard deviation.
        linked: share of the items that are in the largest component, which is measured.
    """

    delta: float
    delta_std: float
    linked: float


def of_items(interactions: Interactions, seed: int = 0) -> Hyperbolicity:
    """δ of the graph of a dataset's items, from training interactions.

    Args:
        interactions: the prepared dataset.
        seed: of the draws.
    """
    links = item_graph(item_item.matrix(interactions))
    _, component = csgraph.connected_components(links, directed=False)
    members = np.flatnonzero(component == np.bincount(component).argmax())
    links = links[members][:, members]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(DRAWS):
        count = min(SAMPLE, len(members))
        drawn = rng.choice(len(members), count, replace=False)
        found.append(relative_delta(hops(links, drawn)))
    std = np.std(found, ddof=1)
    return Hyperbolicity(
        float(np.mean(found)), float(std), len(members) / interactions.num_items
    )


def item_graph(interactions: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    """[I, I], 1 where one of two items is among the other's nearest; X is [U, I]."""
    weights = item_knn.similarities(interactions, SHRINKAGE)
    nearest = item_knn.strongest(weights, NEIGHBOURS)
    links = (nearest + nearest.T).tocsr()
    links.data[:] = 1
    return links


def hops(links: scipy.sparse.csr_matrix, nodes: np.ndarray) -> np.ndarray:
    """[n, n] links on the shortest way between each two of some nodes."""
    ways = csgraph.dijkstra(links, directed=False, indices=nodes, unweighted=True)
    return ways[:, nodes]


def relative_delta(distances: np.ndarray) -> float:
    """2δ / max d of points by their distances [n, n], w the first; 0 for one point."""
    largest = distances.max()
    if largest == 0:
        return 0.0
    from_base = distances[0]
    products = (from_base[:, np.newaxis] + from_base - distances) / 2
    delta = 0.0
    for row in products:  # (x|y) for one x, beside min((x|z), (z|y)) for every z
        through = np.minimum(row[:, np.newaxis], products).max(axis=0)
        delta = max(delta, float((through - row).max()))
    return 2 * delta / float(largest)
