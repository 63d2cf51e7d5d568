"""The fused steps against autodiff and the Keras optimizers."""

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.kernels.compiler import KernelUnavailable
from hyperml_tf.kernels.fused import FusedSteps
from hyperml_tf.models import HyperML
from tests.kernels.conftest import (
    OPTIMIZERS,
    make,
    random_triplets,
    reference_steps,
    slots,
    state,
    tables,
    weights,
)

BATCH = 16
# float32 sums in another order. Adam moves a coordinate by up to its rate of 1e-2 a
# step whatever the size of the gradient, so the error of a small gradient grows: one
# per cent of a move.
TABLE, LOSS, SLOT = 1e-4, 5e-6, 1e-5
# 1 - c‖x‖² keeps three digits at this distance from the rim, and d carries its error.
NEAR_RIM, NEAR_RIM_ERROR = 1e-3, 2e-3
# At the rim itself, 1 - c‖x‖² = 2e-5 keeps two digits.
RIM_ERROR = 0.05

MODELS = ("hyperml", "hyperts", "hyperbolic_mf", "cml", "lrml", "mf_bpr")


def fused(model, triplets, batch=BATCH):
    """Terms [steps, terms]."""
    step = FusedSteps(model, model.optimizer, batch)
    terms = step(*(tf.constant(ids) for ids in triplets))
    return np.stack(list(terms.values()), axis=1)


def assert_same_steps(one, other, triplets, table=TABLE, loss=LOSS, slot=SLOT):
    expected = reference_steps(one, triplets, BATCH)
    terms = fused(other, triplets)
    np.testing.assert_allclose(terms, expected, rtol=loss, atol=loss)
    np.testing.assert_allclose(weights(other), weights(one), atol=table)
    for there, here in zip(slots(one), slots(other), strict=True):
        np.testing.assert_allclose(
            here, there, atol=slot * max(1.0, float(np.abs(there).max()))
        )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("key", MODELS)
def test_six_steps_equal_the_reference(key, optimizer, rng):
    # 90 triplets of 12 users and 9 items: repeated rows, and a last batch of ten.
    triplets = random_triplets(rng, 90)
    assert_same_steps(make(key, optimizer), make(key, optimizer), triplets)


@pytest.mark.parametrize("key", MODELS)
def test_dense_adam_moves_rows_without_a_gradient(key, rng):
    sizes = dict(users=70, items=90)
    triplets = random_triplets(rng, 90, **sizes)
    dense, other, lazy = (
        make(key, optimizer, **sizes)
        for optimizer in ("adam_dense", "adam_dense", "adam")
    )
    assert_same_steps(dense, other, triplets)
    fused(lazy, triplets)
    assert np.abs(tables(lazy) - tables(dense)).max() > 1e-3


@pytest.mark.parametrize("c", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("key", ["hyperml", "hyperts", "hyperbolic_mf"])
def test_steps_equal_the_reference_at_every_curvature(key, c, rng):
    triplets = random_triplets(rng, 90)
    assert_same_steps(make(key, c=c), make(key, c=c), triplets)


@pytest.mark.parametrize("dim", [1, 7, 32, 64, 100, 128])
@pytest.mark.parametrize("key", ["hyperml", "lrml"])
def test_steps_equal_the_reference_in_every_dimension(key, dim, rng):
    size = dict(dim=dim, init_scale=0.3 / dim**0.5)
    triplets = random_triplets(rng, 48)
    assert_same_steps(make(key, **size), make(key, **size), triplets)


@pytest.mark.parametrize("memory_size", [1, 3, 4, 20])
@pytest.mark.parametrize("init_scale", [0.1, 1.0, 5.0])
def test_steps_equal_the_reference_with_every_memory(memory_size, init_scale, rng):
    size = dict(memory_size=memory_size, init_scale=init_scale)
    triplets = random_triplets(rng, 90)
    one, other = (make("lrml", "adagrad", **size) for _ in range(2))
    assert_same_steps(one, other, triplets)


@pytest.mark.parametrize("loss", ["hinge", "softplus"])
def test_a_step_moves_keys_and_memory_by_their_gradients(loss, rng):
    one, other = (
        make("lrml", "sgd", rate=1.0, init_scale=0.5, loss=loss) for _ in range(2)
    )
    before = [one.keys.numpy(), one.memory.numpy()]
    triplets = random_triplets(rng, BATCH)
    reference_steps(one, triplets, BATCH)
    fused(other, triplets)
    for start, there, here in zip(
        *(before, (one.keys, one.memory), (other.keys, other.memory)), strict=True
    ):
        expected = there.numpy() - start
        assert np.linalg.norm(expected) > 0.01
        assert relative_error(here.numpy() - start, expected) < 1e-5


def test_without_an_active_triplet_memory_moves_by_its_moments_alone(rng):
    one, other = make("lrml", margin=0.5), make("lrml", margin=0.5)
    triplets = random_triplets(rng, BATCH)
    assert_same_steps(one, other, triplets)
    same_item = (triplets[0], triplets[1], triplets[1])
    before = [other.keys.numpy(), other.memory.numpy()]
    for model in one, other:
        model.pull_push.margin = -1.0  # and the two distances are equal
    assert_same_steps(one, other, same_item)
    for now, then in zip((other.keys, other.memory), before, strict=True):
        assert np.abs(now.numpy() - then).max() > 1e-3


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_steps_equal_the_reference_with_and_without_distortion(weight, rng):
    models = [make("hyperml", distortion_weight=weight) for _ in range(2)]
    assert_same_steps(*models, random_triplets(rng, 90))


@pytest.mark.parametrize("margin", [-100.0, 0.5, 100.0])
@pytest.mark.parametrize("key", ["hyperml", "hyperts", "cml", "lrml"])
def test_steps_equal_the_reference_with_softplus(key, margin, rng):
    triplets = random_triplets(rng, 90)
    one, other = (make(key, loss="softplus") for _ in range(2))
    for model in (one, other):  # the layer refuses a margin below 0
        model.pull_push.margin = margin
    assert_same_steps(one, other, triplets)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("key", "control"),
    [
        ("cml", {"norm_penalty": 0.3}),
        ("hyperml", {"rescale": False}),
        ("hyperbolic_mf", {"origin_weight": 0.2, "c": 2.0}),
        ("hyperbolic_mf", {"origin_weight": 0.2}),
        ("hyperbolic_mf", {"origin_weight": 0.2, "c": 0.0}),
    ],
)
def test_the_options_equal_the_reference(key, control, optimizer, rng):
    triplets = random_triplets(rng, 90)
    size = dict(init_scale=0.2)
    one, other, plain = (
        make(key, optimizer, **size, **options) for options in (control, control, {})
    )
    assert_same_steps(one, other, triplets)
    fused(plain, triplets)
    assert np.abs(tables(plain) - tables(one)).max() > 1e-3


@pytest.mark.parametrize("key", ["hyperml", "hyperts", "cml", "lrml"])
def test_an_inactive_hinge_pulls_nothing(key, rng):
    one, other = (make(key, margin=0.0, distortion_weight=0.0) for _ in range(2))
    items = np.full([9, 16], 0.1, np.float32)
    items[5:] = -0.1
    for model in one, other:
        model.user_table.table.assign(np.full([12, 16], 0.1, np.float32))
        model.item_table.table.assign(items)
    users = random_triplets(rng, BATCH)[0]
    near, far_away = np.int32([0, 1, 2, 3] * 4), np.int32([5, 6, 7, 8] * 4)
    before = weights(other)
    assert_same_steps(one, other, (users, near, far_away))
    np.testing.assert_array_equal(weights(other), before)


@pytest.mark.parametrize("key", MODELS)
def test_coinciding_points_have_the_reference_gradient(key, rng):
    one, other = make(key, "sgd"), make(key, "sgd")
    for model in one, other:
        model.item_table.table.assign(model.user_table.table[:9])
    users = rng.integers(0, 9, BATCH).astype(np.int32)
    others = rng.integers(0, 9, BATCH).astype(np.int32)
    # u = v_j; u = v_k; and the positive item drawn as its own negative.
    for pos, neg in ((users, others), (others, users), (others, others)):
        assert_same_steps(one, other, (users, pos, neg))


def at_radius(model, radius):
    """Puts every row at √c‖x‖ = radius."""
    for table in model.trainable_variables:
        x = table.numpy()
        table.assign(x / np.linalg.norm(x, axis=1, keepdims=True) * radius)


def moves(model, step):
    before = tables(model)
    step(model)
    return tables(model) - before


def relative_error(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


# Riemannian rescaling makes moves near the rim tiny: a large rate shows them. At the
# very radius to which points are projected, 1 - 1e-5, rounding decides whether a row
# is projected before the loss, in the reference as well; so just inside, and outside.
@pytest.mark.parametrize(
    ("radius", "rate", "error"),
    [
        (1 - NEAR_RIM, 10.0, NEAR_RIM_ERROR),
        (1 - 2e-5, 1000.0, RIM_ERROR),
        (1 - 2e-6, 1000.0, RIM_ERROR),
    ],
)
def test_rows_near_the_rim_move_as_in_the_reference(radius, rate, error, rng):
    triplets = random_triplets(rng, BATCH)
    one, other = make("hyperml", "sgd", rate=rate), make("hyperml", "sgd", rate=rate)
    at_radius(one, radius), at_radius(other, radius)
    expected = moves(one, lambda model: reference_steps(model, triplets, BATCH))
    actual = moves(other, lambda model: fused(model, triplets))
    assert relative_error(actual, expected) < error
    assert np.linalg.norm(tables(other), axis=1).max() < 1


@pytest.mark.parametrize("key", ["hyperml", "hyperts", "cml", "lrml"])
def test_rows_outside_are_brought_back_as_in_the_reference(key, rng):
    triplets = random_triplets(rng, BATCH)
    one, other = (make(key, "sgd", init_scale=0.6) for _ in range(2))
    reference_steps(one, triplets, BATCH)
    fused(other, triplets)
    np.testing.assert_allclose(tables(other), tables(one), atol=1e-3)


def test_untouched_rows_and_slots_rest(rng):
    model = make("hyperml")
    before = state(model)
    triplets = random_triplets(rng, BATCH, users=6, items=4)
    fused(model, triplets)
    for there, here in zip(before, state(model), strict=True):
        if there.ndim == 2:
            rest = slice(6, None) if len(there) == 12 else slice(4, None)
            np.testing.assert_array_equal(here[rest], there[rest])


@pytest.mark.parametrize("key", ["hyperml", "lrml"])
def test_equal_calls_give_equal_bits(key, rng):
    triplets = random_triplets(rng, 90)
    models = [make(key, dropout=0.5) for _ in range(2)]
    terms = [fused(model, triplets) for model in models]
    np.testing.assert_array_equal(*terms)
    for one, other in zip(*map(state, models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("key", ["hyperml", "lrml"])
def test_one_call_of_many_steps_is_many_calls_of_one(key, rng):
    triplets = random_triplets(rng, 90)
    one, other = make(key, dropout=0.5), make(key, dropout=0.5)
    fused(one, triplets)
    for start in range(0, 90, BATCH):
        fused(other, [ids[start : start + BATCH] for ids in triplets])
    np.testing.assert_array_equal(weights(one), weights(other))


def test_a_tensor_read_earlier_keeps_its_values(rng):
    model = make("hyperml")
    table = model.user_table.table
    read = tf.identity(table.read_value())
    shared = table.read_value()
    kept = read.numpy()
    fused(model, random_triplets(rng, BATCH))
    np.testing.assert_array_equal(shared.numpy(), kept)
    assert np.any(table.numpy() != kept)


@pytest.mark.parametrize("key", ["hyperml", "lrml"])
def test_a_loss_that_is_not_finite_is_seen(key, rng):
    model = make(key)
    model.user_table.table.assign(np.full([12, 16], np.nan, np.float32))
    assert np.isnan(fused(model, random_triplets(rng, BATCH))[0]).all()


@pytest.mark.parametrize("bad", [-1, 12])
def test_an_id_outside_the_table_is_refused(bad, rng):
    users, pos_items, neg_items = random_triplets(rng, BATCH)
    users[3] = bad
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"user id {bad} is not"):
        fused(make("hyperml"), (users, pos_items, neg_items))


@pytest.mark.parametrize("key", ["hyperml", "lrml"])
def test_a_checkpoint_moves_between_the_kernels(key, tmp_path, rng):
    triplets = random_triplets(rng, 32)
    first, second = ([ids[:BATCH] for ids in triplets], [i[BATCH:] for i in triplets])
    through, straight = make(key), make(key)
    reference_steps(straight, triplets, BATCH)

    fused(through, first)
    tf.train.Checkpoint(model=through, optimizer=through.optimizer).save(
        str(tmp_path / "there")
    )
    onward = make(key, rate=1.0)
    onward.user_table.table.assign(tf.zeros([12, 16]))
    tf.train.Checkpoint(model=onward, optimizer=onward.optimizer).restore(
        tf.train.latest_checkpoint(str(tmp_path))
    ).assert_consumed()
    reference_steps(onward, second, BATCH)

    for one, other in zip(state(straight), state(onward), strict=True):
        np.testing.assert_allclose(other, one, atol=TABLE)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])  # Adam grows small gradients
@pytest.mark.parametrize("negatives", [1, 3, 20])
@pytest.mark.parametrize("loss", ["hinge", "softplus"])
def test_steps_with_rank_weights_equal_the_reference(loss, negatives, optimizer, rng):
    users, pos_items, _ = random_triplets(rng, 90)
    neg_items = rng.integers(0, 9, (90, negatives)).astype(np.int32)
    options = dict(init_scale=0.3, margin=0.1, loss=loss)
    one, other = (make("cml_warp", optimizer, **options) for _ in range(2))
    gaps = one.score(users, pos_items)[:, None] - one.score(users[:, None], neg_items)
    assert 0.2 < np.mean(gaps < options["margin"]) < 0.8  # impostors
    assert_same_steps(one, other, (users, pos_items, neg_items))


def test_rank_weights_do_not_depend_on_dropout_and_its_masks_are_cmls(rng):
    """Of one negative that is an impostor the weight is log(1 + I)."""
    triplets = random_triplets(rng, BATCH)
    options = dict(dropout=0.5, margin=2.0, optimizer="sgd")
    plain, ranked = (
        make("cml", rate=np.log(10), **options),
        make("cml_warp", rate=1.0, **options),
    )
    (loss,) = fused(plain, triplets)
    (weighed,) = fused(ranked, (*triplets[:2], triplets[2][:, None]))
    assert weighed[0] == pytest.approx(np.log(10) * loss[0], rel=1e-5)
    np.testing.assert_allclose(weights(ranked), weights(plain), atol=1e-5)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("key", MODELS)
def test_the_hardest_negative_is_chosen_before_every_step(key, dropout, rng):
    users, pos_items, _ = random_triplets(rng, 90)
    neg_items = rng.integers(0, 9, (90, 3)).astype(np.int32)
    options = dict(dropout=dropout, init_scale=0.2)
    model, stepped, given = (make(key, **options) for _ in range(3))
    model.negative_choice = stepped.negative_choice = "hardest"
    hardest = []
    for start in range(0, 90, BATCH):
        batch = [ids[start : start + BATCH] for ids in (users, pos_items, neg_items)]
        triplets = stepped.arrange(*batch)  # by the scores, without a kernel
        hardest.append(triplets[2].numpy())
        fused(stepped, triplets)
    assert (np.concatenate(hardest) != neg_items[:, 0]).any()
    expected = fused(given, (users, pos_items, np.concatenate(hardest)))
    model.kernel = FusedSteps(model, model.optimizer, BATCH)
    terms = model.kernel(*model.arrange(users, pos_items, neg_items, chosen_later=True))
    np.testing.assert_array_equal(np.stack(list(terms.values()), axis=1), expected)
    np.testing.assert_array_equal(weights(model), weights(given))


def test_a_model_of_ones_own_is_not_stepped_as_its_parent():
    class Other(HyperML):
        """Its loss may be another."""

    model = Other(12, 9)
    model.compile()
    with pytest.raises(KernelUnavailable, match="Other has no fused kernel"):
        FusedSteps(model, model.optimizer, BATCH)
