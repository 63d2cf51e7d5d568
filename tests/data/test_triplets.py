"""The stream of training triplets: what it may draw, and that it never depends."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from hyperml_tf.data import triplets
from hyperml_tf.data.triplets import TripletSampler
from hyperml_tf.kernels import choosing

ITEMS = 12
# One item short of everything, everything, one item, unsorted items, a user of none.
TRAIN = [list(range(1, ITEMS)), list(range(ITEMS)), [5], [9, 2, 11, 0], [], [3, 4]]
DRAWABLE = (
    sum(len(t) for t in TRAIN) - ITEMS
)  # the user with everything has no negative


@pytest.fixture
def interactions(make_interactions):
    return make_interactions(
        TRAIN, ITEMS, valid=[0, -1, 6, 1, -1, 5], test=[-1, -1, 7, 3, -1, 6]
    )


def take(sampler, epochs, batch_size=7, first_epoch=0):
    """Triplets [epochs, N, 3] as NumPy numbers, epoch by epoch."""
    steps = sampler.steps_per_epoch(batch_size)
    batches = sampler.dataset(batch_size, first_epoch).take(epochs * steps)
    rows = [np.stack(batch, axis=1) for batch in batches.as_numpy_iterator()]
    return np.concatenate(rows).reshape(epochs, sampler.epoch_size, 3)


def test_no_negative_is_a_training_positive(interactions):
    drawn = take(TripletSampler(interactions, seed=1), epochs=60)
    for user, _, negative in drawn.reshape(-1, 3):
        assert 0 <= negative < ITEMS
        assert negative not in TRAIN[user]


def test_held_out_items_can_be_drawn(interactions):
    drawn = take(TripletSampler(interactions, seed=1), epochs=60).reshape(-1, 3)
    held_out = {(2, 6), (2, 7), (3, 1), (3, 3), (5, 5), (5, 6)}
    assert held_out <= {(user, negative) for user, _, negative in drawn.tolist()}


def test_each_epoch_visits_every_interaction_once(interactions):
    drawn = take(TripletSampler(interactions, seed=1), epochs=5)
    expected = sorted(
        (user, item)
        for user, items in enumerate(TRAIN)
        for item in items
        if len(items) < ITEMS
    )
    for epoch in drawn:
        assert sorted(map(tuple, epoch[:, :2].tolist())) == expected


@pytest.mark.parametrize("size", [65_536, 65_537, 65_538])
@pytest.mark.parametrize("choice", ["tensorflow", "auto"])
def test_an_epoch_is_whole_at_sizes_where_tensorflows_shuffle_is_not(
    size, choice, make_interactions
):
    # index_shuffle draws one of 4^8 + 1 positions twice, and the last one never.
    data = make_interactions([[item] for item in range(size)], size)
    sampler = TripletSampler(data, seed=1, compiled=choosing.compiled(choice))
    positions = tf.range(size, dtype=tf.int64)
    users, *_ = sampler.draw(tf.constant(2, tf.int64), positions)
    assert len(np.unique(users)) == size


def test_the_user_with_one_eligible_negative_always_gets_it(interactions):
    drawn = take(TripletSampler(interactions, seed=1), epochs=20).reshape(-1, 3)
    assert set(drawn[drawn[:, 0] == 0, 2]) == {0}


def test_the_user_with_no_eligible_negative_gives_no_triplet(interactions):
    sampler = TripletSampler(interactions, seed=1)
    assert sampler.epoch_size == DRAWABLE
    assert 1 not in take(sampler, epochs=3)[..., 0]


def test_data_without_any_negative_is_refused(make_interactions):
    with pytest.raises(ValueError, match="no negative to draw"):
        TripletSampler(make_interactions([[0, 1], [1, 0]], 2), seed=1)


def test_negatives_are_uniform_over_the_eligible(make_interactions):
    rng = np.random.default_rng(3)
    train = [np.sort(rng.permutation(40)[:n]).tolist() for n in (1, 8, 20, 37)]
    sampler = TripletSampler(make_interactions(train, 40), seed=5)
    drawn = take(sampler, epochs=1000, batch_size=512).reshape(-1, 3)
    for user, items in enumerate(train):
        negatives = drawn[drawn[:, 0] == user, 2]
        counts = np.bincount(negatives, minlength=40)
        assert counts[items].sum() == 0
        counts = np.delete(counts, items)
        expected = len(negatives) / len(counts)
        chi_square = np.sum((counts - expected) ** 2 / expected)
        freedom = len(counts) - 1
        # Five standard deviations of the chi-square distribution.
        assert abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom)


def test_negatives_by_popularity_are_drawn_in_proportion(make_interactions):
    rng = np.random.default_rng(3)
    # Items 0 … 19 of very unequal popularity; nobody has 20, so nobody draws it.
    chances = np.arange(1, 21) / 210
    train = [
        rng.choice(20, size, replace=False, p=chances).tolist()
        for size in (1, 4, 9, 15, 2, 6)
    ]
    popularity = np.bincount(np.concatenate(train), minlength=21)
    sampler = TripletSampler(make_interactions(train, 21), seed=5, by_popularity=True)
    drawn = take(sampler, epochs=3000, batch_size=512).reshape(-1, 3)
    for user, items in enumerate(train):
        negatives = np.bincount(drawn[drawn[:, 0] == user, 2], minlength=21)
        weights = np.where(np.isin(np.arange(21), items), 0, popularity)
        expected = negatives.sum() * weights / weights.sum()
        assert not negatives[weights == 0].any()
        drawable = weights > 0
        chi_square = np.sum((negatives - expected)[drawable] ** 2 / expected[drawable])
        freedom = drawable.sum() - 1
        # Five standard deviations of the chi-square distribution.
        assert abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom)


def test_the_negatives_of_one_positive_vary_over_epochs(make_interactions):
    sampler = TripletSampler(make_interactions([[0], [1]], 500), seed=5)
    drawn = take(sampler, epochs=200).reshape(-1, 3)
    for user in (0, 1):  # 200 of 499: about 165 different ones
        assert len(set(drawn[drawn[:, 0] == user, 2])) > 140
    # And two users' draws of one epoch have nothing to do with each other.
    by_epoch = {user: drawn[drawn[:, 0] == user, 2] for user in (0, 1)}
    assert np.mean(by_epoch[0] == by_epoch[1]) < 0.03


def test_equal_seeds_agree_and_different_seeds_and_epochs_differ(interactions):
    first, again, other = (
        take(TripletSampler(interactions, seed), epochs=2) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    for unlike in (other[0], first[1]):
        assert np.any(unlike[:, :2] != first[0][:, :2])  # another order
        assert np.any(unlike[:, 2] != first[0][:, 2])


def test_the_order_is_a_shuffle(make_interactions):
    train = [[i % 50] for i in range(400)]
    drawn = take(TripletSampler(make_interactions(train, 50), seed=1), epochs=2)
    for epoch in drawn:
        assert abs(np.corrcoef(epoch[:, 0], np.arange(400))[0, 1]) < 0.2
        assert np.mean(np.abs(np.diff(epoch[:, 0])) == 1) < 0.05


def test_a_start_at_epoch_k_is_the_tail_of_the_stream_from_0(interactions):
    sampler = TripletSampler(interactions, seed=1)
    whole = take(sampler, epochs=5)
    np.testing.assert_array_equal(take(sampler, 2, first_epoch=3), whole[3:])


def test_batches_end_with_the_epoch(interactions):
    sampler = TripletSampler(interactions, seed=1)
    steps = sampler.steps_per_epoch(7)
    assert steps == -(-DRAWABLE // 7)
    sizes = [len(b[0]) for b in sampler.dataset(7).take(2 * steps)]
    assert sizes == ([7] * (steps - 1) + [DRAWABLE - 7 * (steps - 1)]) * 2


def test_the_batch_size_changes_the_cuts_but_not_the_order(interactions):
    sampler = TripletSampler(interactions, seed=1)
    small, large = (take(sampler, 2, batch_size)[..., :2] for batch_size in (3, 100))
    np.testing.assert_array_equal(small, large)


def test_an_epoch_of_many_chunks_is_the_same_however_parallel(make_interactions):
    rng = np.random.default_rng(3)
    train = [rng.permutation(90)[:30].tolist() for _ in range(60)]
    sampler = TripletSampler(make_interactions(train, 90), seed=7)
    batch_size = 4  # 256 triplets a chunk, eight chunks
    assert sampler.epoch_size > 6 * batch_size * triplets.BATCHES_PER_CHUNK
    parallel = take(sampler, 2, batch_size)
    chunk = batch_size * triplets.BATCHES_PER_CHUNK
    one_by_one = []
    for epoch, start in itertools.product(
        range(2), range(0, sampler.epoch_size, chunk)
    ):
        stop = min(start + chunk, sampler.epoch_size)
        part = sampler.draw(
            tf.constant(epoch, tf.int64), tf.range(start, stop, dtype=tf.int64)
        )
        one_by_one.append(np.stack(part, axis=1))
    np.testing.assert_array_equal(parallel.reshape(-1, 3), np.concatenate(one_by_one))
    for user, _, negative in parallel.reshape(-1, 3):
        assert negative not in train[user]


def test_no_chunk_repeats_the_draws_of_another(make_interactions):
    # All users alike, so a negative is a function of its random number alone.
    sampler = TripletSampler(make_interactions([[0]] * 1024, 1000), seed=7)
    (epoch,) = take(sampler, 1, batch_size=4)
    chunks = epoch[:, 2].reshape(-1, 4 * triplets.BATCHES_PER_CHUNK)
    for first, second in itertools.combinations(chunks, 2):
        assert np.mean(first == second) < 0.03  # 1 in 999 by chance


def test_triplets_are_int32_batches_of_one_length(interactions):
    (batch,) = TripletSampler(interactions, seed=1).dataset(7).take(1)
    assert [(part.dtype, part.shape) for part in batch] == [(tf.int32, (7,))] * 3


@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_replicas_share_each_batch_and_their_weights_make_its_mean(interactions, of):
    sampler = TripletSampler(interactions, seed=1)
    batches = list(sampler.dataset(7).take(6).as_numpy_iterator())
    # Two processes, as far as there are two replicas; each gives its own in turn.
    cut = of // 2
    processes = [range(0, cut), range(cut, of)] if cut else [range(of)]
    streams = [
        sampler.shares(7, 0, replicas, of).take(6 * len(replicas)).as_numpy_iterator()
        for replicas in processes
    ]
    for batch in batches:
        parts = [
            next(stream)
            for stream, replicas in zip(streams, processes, strict=True)
            for _ in replicas
        ]
        weights = [share.weight for *_, share in parts]
        assert sum(weights) == pytest.approx(1)
        real = [part for part in parts if part[3].weight > 0]
        for column, values in enumerate(batch):
            joined = np.concatenate([part[column] for part in real])
            np.testing.assert_array_equal(joined, values)
        for *rows, share in parts:
            assert share.batch == len(batch[0]) and share.positives == len(rows[0]) > 0
            expected = batch[0][share.start : share.start + share.positives]
            np.testing.assert_array_equal(rows[0], expected)


def test_chunks_are_what_the_stream_gives(interactions, monkeypatch):
    monkeypatch.setattr(triplets, "BATCHES_PER_CHUNK", 2)
    sampler = TripletSampler(interactions, seed=1)
    starts = sampler.chunk_starts(4)
    assert len(starts) == 3
    epoch = tf.constant(1, tf.int64)
    chunks = [sampler.chunk(epoch, tf.constant(s, tf.int64), 4) for s in starts]
    drawn = np.concatenate([np.stack(chunk, axis=1) for chunk in chunks])
    np.testing.assert_array_equal(drawn, take(sampler, 2, batch_size=4)[1])
