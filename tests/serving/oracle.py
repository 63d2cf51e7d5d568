"""Distances and scores of tables in NumPy float64, from the formulas of DESIGN §4."""

import numpy as np


def ball_distance(u, v, c):
    """(2/√c) asinh(√c‖u-v‖/√((1-c‖u‖²)(1-c‖v‖²))), [B, I]; 2‖u-v‖ at c = 0."""
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    gap = np.stack([np.linalg.norm(v - one, axis=1) for one in u])
    if c == 0:
        return 2 * gap
    a, b = (1 - c * np.sum(points**2, axis=1) for points in (u, v))
    return 2 / np.sqrt(c) * np.arcsinh(np.sqrt(c) * gap / np.sqrt(np.outer(a, b)))


def exp0(v, c):
    """tanh(√c‖v‖) v/(√c‖v‖)."""
    size = np.sqrt(c) * np.linalg.norm(v, axis=1, keepdims=True)
    return np.tanh(size) * v / size


def scores(model, key):
    """[U, I] scores of a model of `conftest`, higher is better."""
    if key == "popularity":
        return np.tile(model.counts.numpy(), (model.num_users, 1))
    u = model.user_table.table.numpy().astype(np.float64)
    v = model.item_table.table.numpy().astype(np.float64)
    if key.startswith("hyper"):
        if key == "hyperts":
            u, v = exp0(u, model.c), exp0(v, model.c)
        return -ball_distance(u, v, model.c)
    if key == "mf_bpr":
        return u @ v.T
    gap = u[:, np.newaxis] - v
    if key == "lrml":
        keys, memory = model.keys.numpy(), model.memory.numpy()
        logits = (u[:, np.newaxis] * v) @ keys.astype(np.float64)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        gap += weights / weights.sum(axis=-1, keepdims=True) @ memory
    return -np.sum(gap**2, axis=-1)
