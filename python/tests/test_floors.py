"""Floors by hand and against loops."""

import os

import numpy as np
import pytest

from metarec import datasets, split
from metarec.dataset import Dataset
from metarec.errors import InvalidValueError, NotFittedError
from metarec.evaluation import Bias, GlobalMean, UserMean, UserMedian, evaluate

TRAIN = Dataset.from_arrays(
    [0, 0, 1, 1, 2, 2], ["a", "b", "a", "c", "b", "c"], [5, 3, 4, 2, 4, 1]
)  # mean 19/6, median 3.5


def tasks(*pairs, items=("a", "b", "c"), data=TRAIN):
    """One task per (support ratings, number of query rows), items taken in turn."""
    counts = np.array([len(support) + query for support, query in pairs])
    ratings = np.concatenate([[*support, *[1.0] * query] for support, query in pairs])
    names = [items[row % len(items)] for count in counts for row in range(count)]
    known = Dataset.from_arrays(np.repeat(np.arange(len(counts)), counts), names, ratings)
    known.item = data.item_codes(names)
    known._items = data._items
    supports = np.array([len(support) for support, _ in pairs])
    return known.task_set(np.arange(len(ratings)), counts, supports, np.arange(len(counts)))


def test_global_mean():
    predictions = GlobalMean().fit(TRAIN).predict(tasks(([5, 5], 2), ([], 1)))
    np.testing.assert_allclose(predictions, [19 / 6] * 3)


def test_user_mean_and_its_prior():
    predictions = UserMean().fit(TRAIN).predict(tasks(([5, 2], 2), ([], 1), ([4], 1), ([3], 0)))
    np.testing.assert_allclose(predictions, [3.5, 3.5, 19 / 6, 4])


def test_user_median_and_its_prior():
    model = UserMedian().fit(TRAIN)
    given = tasks(([5, 1, 2], 1), ([], 2), ([4, 1, 2, 5], 1), ([2], 1), ([], 1))
    np.testing.assert_allclose(model.predict(given), [2, 3.5, 3.5, 3, 2, 3.5])


def test_user_median_agrees_with_numpy():
    rng = np.random.default_rng(0)
    pairs = [(list(rng.integers(1, 6, rng.integers(1, 9))), 2) for _ in range(40)]
    expected = np.repeat([np.median(support) for support, _ in pairs], 2)
    np.testing.assert_array_equal(UserMedian().fit(TRAIN).predict(tasks(*pairs)), expected)


def test_bias_is_the_stationary_point_of_its_loss():
    model = Bias().fit(TRAIN)
    b = model.item_offsets_
    residual = TRAIN.rating.astype(float) - model.mean_
    users = np.array([np.sum((residual - b[TRAIN.item])[TRAIN.user == u]) / 5 for u in range(3)])
    items = np.array(
        [np.sum((residual - users[TRAIN.user])[TRAIN.item == i]) / 7 for i in range(3)]
    )
    np.testing.assert_allclose(b, items, atol=1e-4)


def test_bias_shrinks_the_user_of_the_support():
    model = Bias().fit(TRAIN)
    b = model.item_offsets_
    given = tasks(([5, 4], 1), ([], 1))
    user = (5 - model.mean_ - b[0] + 4 - model.mean_ - b[1]) / (2 + 3)
    np.testing.assert_allclose(
        model.predict(given), [model.mean_ + user + b[2], model.mean_ + b[0]]
    )


def test_bias_of_an_unknown_item_is_zero():
    model = Bias().fit(TRAIN)
    given = tasks(([5], 1), items=("never seen",))
    assert (given.item_index == -1).all()
    np.testing.assert_allclose(model.predict(given), model.mean_ + (5 - model.mean_) / 4)


def test_bias_recovers_additive_ratings_without_shrinkage():
    rng = np.random.default_rng(5)
    users, items = rng.normal(size=30), rng.normal(size=20)
    u, i = map(np.ravel, np.meshgrid(np.arange(30), np.arange(20), indexing="ij"))
    data = Dataset.from_arrays(u, i, 3 + users[u] + items[i])
    model = Bias(0, 0).fit(data)
    recovered = model.item_offsets_ - model.item_offsets_.mean()
    np.testing.assert_allclose(recovered, items - items.mean(), atol=1e-4)


@pytest.mark.parametrize("floor", [GlobalMean, UserMean, UserMedian, Bias])
def test_edges(floor):
    with pytest.raises(NotFittedError, match="fit"):
        floor().predict(tasks(([5], 1)))
    with pytest.raises(InvalidValueError, match="no ratings"):
        floor().fit(TRAIN.view(np.zeros(6, bool)))
    model = floor().fit(TRAIN)
    assert model.predict(tasks(([5], 1)).take([])).shape == (0,)
    assert model.predict(tasks(([5, 4], 0), ([3], 0))).shape == (0,)
    both = tasks(([5, 2], 1), ([1], 3))
    swapped = model.predict(both.take([1, 0, 1]))
    first, second = model.predict(both.take([0])), model.predict(both.take([1]))
    np.testing.assert_array_equal(swapped, np.concatenate([second, first, second]))


def test_bias_refuses_negative_shrinkage():
    with pytest.raises(InvalidValueError, match="item_shrinkage"):
        Bias(item_shrinkage=-1)


@pytest.mark.data
@pytest.mark.skipif("METAREC_DATA" not in os.environ, reason="METAREC_DATA is not set")
def test_floors_of_the_protocol_on_movielens_1m():
    """An independent implementation on its own draws had these; a draw moves them by up to .005."""
    splits = split.melu(datasets.movielens_1m(), seed=0)
    report = evaluate([], splits, support_sizes=(), metrics=["mae", "rmse", "ndcg@3"], resamples=2)
    for floor, scenario, *expected in (
        ("global_mean", "new_user", 0.922, 1.088),
        ("user_mean", "new_user", 0.814, 1.028),
        ("user_median", "new_user", 0.778),
        ("bias", "new_user", 0.733, 0.932, 0.757),
        ("bias", "new_item", 0.891, 1.106, 0.565),
        ("bias", "new_both", 0.886, 1.103, 0.569),
    ):
        for metric, value in zip(("mae", "rmse", "ndcg@3"), expected, strict=False):
            measured = report.interval(floor, scenario, metric).value
            assert measured == pytest.approx(value, abs=0.007), (floor, scenario, metric)
    rounded = report.interval("bias", "new_user", "mae", decision="rounded").value
    assert rounded == pytest.approx(0.698, abs=0.005)
