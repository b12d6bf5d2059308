"""The synthetic data: shaped like ratings, and drawn from the truth it states."""

import numpy as np
import pytest

from metarec.datasets import synthetic
from metarec.errors import InvalidValueError


@pytest.fixture(scope="module")
def data():
    return synthetic(seed=3)


def test_the_truth_is_a_distribution_over_stars(data):
    p = data.truth.probabilities(data.user, data.item)
    assert p.shape == (len(data), 5) and (p >= 0).all()
    np.testing.assert_allclose(p.sum(1), 1)
    mean = p @ [1, 2, 3, 4, 5]
    np.testing.assert_allclose(data.truth.expected(data.user, data.item), mean)
    spread = (p * (np.arange(1, 6) - mean[:, None]) ** 2).sum(1)
    np.testing.assert_allclose(data.truth.variance(data.user, data.item), spread, atol=1e-12)


def test_ratings_were_drawn_from_the_truth(data):
    p = data.truth.probabilities(data.user, data.item)
    stars = data.rating.astype(int)
    for k in range(1, 6):
        # The observed share lies within four standard errors of the expected.
        error = np.sqrt((p[:, k - 1] * (1 - p[:, k - 1])).sum()) / len(data)
        assert abs((stars == k).mean() - p[:, k - 1].mean()) < 4 * error
    # So it does among the pairs the truth is surest about.
    high = data.truth.expected(data.user, data.item) > 4.7
    z = (data.rating - data.truth.expected(data.user, data.item))[high].sum()
    assert abs(z) < 4 * np.sqrt(data.truth.variance(data.user, data.item)[high].sum())


def test_no_predictor_beats_the_truth(data):
    best = np.sqrt(data.truth.variance(data.user, data.item).mean())
    item_mean = np.bincount(data.item, data.rating) / np.maximum(1, np.bincount(data.item))
    user_mean = np.bincount(data.user, data.rating) / np.bincount(data.user)
    for guess in (item_mean[data.item], user_mean[data.user], data.rating.mean()):
        assert np.sqrt(((data.rating - guess) ** 2).mean()) > 1.2 * best


def test_it_is_shaped_like_a_rating_data_set(data):
    pairs = data.user.astype(np.int64) * data.item_count + data.item
    assert len(np.unique(pairs)) == len(data)
    users, items = np.sort(np.bincount(data.user)), np.sort(np.bincount(data.item))
    assert users.min() >= 15
    for counts in (users, items):
        assert counts[-len(counts) // 10 :].sum() > 0.2 * counts.sum()
    assert np.bincount(data.rating.astype(int)).argmax() >= 4 and 3.3 < data.rating.mean() < 4.1
    assert {f.kind for f in data.items.fields.values()} == {"categorical", "bag", "dense"}
    assert (data.users["age"].ids == -1).any()
    times = [data.timestamp[data.user == u] for u in range(3)]
    assert all((np.diff(t) > 0).all() for t in times)


def test_the_seed_decides(data):
    again, other = synthetic(seed=3), synthetic(seed=4)
    np.testing.assert_array_equal(data.rating, again.rating)
    np.testing.assert_array_equal(data.items["genre"].ids, again.items["genre"].ids)
    assert len(other) != len(data) or (other.rating != data.rating).any()


def test_codes_number_the_truth(data):
    np.testing.assert_array_equal(data.user_ids(np.arange(data.user_count)), np.arange(1000))
    assert data.truth.user_bias.shape == (data.user_count,)


def test_sizes():
    small = synthetic(users=3, items=5, seed=0)
    assert (small.user_count, small.item_count, len(small)) == (3, 5, 15)
    with pytest.raises(InvalidValueError, match="users: expected at least 1"):
        synthetic(users=0)
