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


def on_sphere(x, radius):
    """r x/‖x‖."""
    return radius * x / np.linalg.norm(x, axis=1, keepdims=True)


def scores(model, key):
    """[U, I] scores of a model of `conftest`, higher is better."""
    if key == "popularity":
        return np.tile(model.counts.numpy(), (model.num_users, 1))
    if key in ("itemknn", "ease"):  # W itself is tested beside the models
        return model.score_all(np.arange(model.num_users)).numpy()
    if key in ("gmf", "mlp", "ncf"):
        return _dense(model.head, _features(model, key))[..., 0]
    u = model.user_table.table.numpy().astype(np.float64)
    v = model.item_table.table.numpy().astype(np.float64)
    if key == "hyperml_softmax":
        items, splits = model.known.items.numpy(), model.known.splits.numpy()
        for row, mine in zip(u, np.split(items, splits[1:-1]), strict=True):
            row += model.user_history.weight * v[mine].sum(axis=0) / len(mine) ** 0.5
    if key in WITH_OFFSETS:
        return scores_with_offsets(model, key, u, v)
    if key.endswith("softmax"):
        u, v = (on_sphere(x, model.radius) for x in (u, v))
    if key.startswith("hyper"):
        if key == "hyperts":
            u, v = exp0(u, model.c), exp0(v, model.c)
        return -ball_distance(u, v, model.c)
    if key in ("mf_bpr", "mf_softmax", "ials"):
        return u @ v.T
    gap = u[:, np.newaxis] - v
    if key == "lrml":
        keys, memory = model.keys.numpy(), model.memory.numpy()
        logits = (u[:, np.newaxis] * v) @ keys.astype(np.float64)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        gap += weights / weights.sum(axis=-1, keepdims=True) @ memory
    return -np.sum(gap**2, axis=-1)


WITH_OFFSETS = (
    *("hyperbolic_mf", "biased_hyperbolic_mf"),
    *("biased", "biased_cml", "biased_mf_bpr"),
)


def scores_with_offsets(model, key, u, v):
    """[B, I] of rows u [B, D] and all items' rows v, whosever rows u are."""
    biases = 0.0
    if key.startswith("biased"):
        biases = model.item_biases.table.numpy()[:, 0].astype(np.float64)
    if key == "biased_mf_bpr":
        return u @ v.T + biases
    if key == "biased_cml":
        return biases - (ball_distance(u, v, 0.0) / 2) ** 2
    if key == "biased":
        return biases - ball_distance(u, v, model.c) ** 2
    u, v = exp0(u, model.c), exp0(v, model.c)
    from_origin = ball_distance(np.zeros((1, v.shape[1])), v, model.c)
    return (from_origin**2 - ball_distance(u, v, model.c) ** 2) / 2 + biases


def _features(model, key):
    """Hidden features [U, I, F] of every pair."""
    if key == "ncf":
        parts = _features(model.gmf, "gmf"), _features(model.mlp, "mlp")
        return np.concatenate(parts, axis=-1)
    u, v = (layer.table.numpy().astype(np.float64) for layer in model.tables)
    if key == "gmf":
        return u[:, np.newaxis] * v
    pairs = (len(u), len(v), u.shape[1])
    sides = u[:, np.newaxis], v[np.newaxis]
    hidden = np.concatenate([np.broadcast_to(side, pairs) for side in sides], axis=-1)
    for layer in model.pyramid:
        hidden = np.maximum(0, _dense(layer, hidden))
    return hidden


def _dense(layer, x):
    return x @ layer.kernel.numpy().astype(np.float64) + layer.bias.numpy()
