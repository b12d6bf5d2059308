"""Rankings of the whole catalogue, against brute force over every item."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios import Answers, small_splits

import metarec as mr
from metarec import _metarec, split
from metarec.baselines import Popularity
from metarec.errors import (
    InvalidIndexError,
    InvalidTypeError,
    InvalidValueError,
    NumericalError,
    OutOfMemoryError,
    StateError,
)
from metarec.evaluation import evaluate
from metarec.evaluation.catalogue import CATALOGUE_METRICS, everything

NAMES = ("hr", "recall", "precision", "ndcg", "map", "mrr", "auc", "f1")


def lists(sets):
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in sets])]).astype(np.int64)
    return offsets, np.array([item for each in sets for item in each], np.int32)


def by_query_rows(scores, excluded, relevant, metrics):
    """The same from the metrics of query rows: every candidate is a row."""
    above, below = [], []
    for row, known, wanted in zip(scores, excluded, relevant, strict=True):
        items = np.setdiff1d(np.arange(len(row)), known)
        targets = np.isin(items, wanted).astype(float)
        # With targets 0 and 1 the gain 2^r - 1 is the target.
        each = _metarec.metrics(
            row[items].astype(float), targets, np.array([0, len(items)]), metrics
        )
        above.append(each[0][:, 0])
        below.append(each[1][:, 0])
    return np.stack(above, axis=1), np.stack(below, axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("levels", [3, 1000])
def test_metrics_are_those_of_all_candidates(dtype, levels):
    rng = np.random.default_rng(levels)
    users, items = 30, 40
    scores = rng.integers(0, levels, (users, items)).astype(dtype)
    excluded = [rng.choice(items, rng.integers(0, 10), replace=False) for _ in range(users)]
    # Some are excluded besides, some users have none, some come twice.
    relevant = [rng.choice(items, rng.integers(0, 8)) for _ in range(users)]
    metrics = [(name, k, 1.0) for name in NAMES for k in ((0,) if name == "auc" else (0, 1, 3, 60))]
    above, below, best = _metarec.catalogue(scores, *lists(excluded), *lists(relevant), metrics, 5)
    expected = by_query_rows(scores, excluded, relevant, metrics)
    np.testing.assert_allclose(above, expected[0], rtol=1e-12)
    np.testing.assert_array_equal(below, expected[1])
    for row, known, mine in zip(scores, excluded, best, strict=True):
        candidates = np.setdiff1d(np.arange(items), known)
        order = candidates[np.lexsort((candidates, -row[candidates]))]
        np.testing.assert_array_equal(mine, order[:5])


@given(st.data())
def test_any_small_catalogue(data):
    items = data.draw(st.integers(1, 7))
    scores = np.array(
        [data.draw(st.lists(st.integers(0, 2), min_size=items, max_size=items))], float
    )
    some = st.sets(st.integers(0, items - 1))
    excluded, relevant = [sorted(data.draw(some))], [sorted(data.draw(some))]
    metrics = [(name, k, 1.0) for name in NAMES for k in ((0,) if name == "auc" else (0, 2))]
    above, below, best = _metarec.catalogue(scores, *lists(excluded), *lists(relevant), metrics, 9)
    expected = by_query_rows(scores, excluded, relevant, metrics)
    np.testing.assert_allclose(above, expected[0], rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(below, expected[1])
    assert np.count_nonzero(best >= 0) == items - len(excluded[0])


def test_users_do_not_mix_whatever_their_number():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(50, 30))
    relevant = [rng.choice(30, 3, replace=False) for _ in range(50)]
    known = [rng.choice(30, 4, replace=False) for _ in range(50)]
    metrics = [("ndcg", 5, 1.0)]
    whole = _metarec.catalogue(scores, *lists(known), *lists(relevant), metrics, 3)
    for user in (0, 7, 8, 49):
        mine = lists([known[user]]), lists([relevant[user]])
        one = _metarec.catalogue(scores[user : user + 1], *mine[0], *mine[1], metrics, 3)
        assert one[0][0, 0] == whole[0][0, user] and (one[2][0] == whole[2][user]).all()


def test_arguments_that_cannot_be():
    scores, none = np.zeros((2, 3)), lists([[], []])
    ok = [scores, *none, *none, [("hr", 1, 1.0)], 1]
    _metarec.catalogue(*ok)

    def refused(error, words, **changed):
        arguments = [changed.get(str(at), value) for at, value in enumerate(ok)]
        with pytest.raises(error, match=words):
            _metarec.catalogue(*arguments)

    refused(
        InvalidIndexError,
        "relevant: item 1 is 3",
        **{"3": np.array([0, 2, 2]), "4": np.array([0, 3], np.int32)},
    )
    refused(
        InvalidIndexError,
        "excluded: item 0 is -1",
        **{"1": np.array([0, 1, 1]), "2": np.array([-1], np.int32)},
    )
    refused(
        InvalidValueError,
        "fall from 2 to 1",
        **{"1": np.array([0, 2, 1]), "2": np.array([0], np.int32)},
    )
    refused(InvalidValueError, "k", **{"6": -1})
    refused(InvalidValueError, "absoluteError is not one of a ranking", **{"5": [("mae", 0, 1.0)]})
    refused(NumericalError, "user 1", **{"0": np.array([[0, 0, 0], [0, np.nan, 0]])})
    refused(InvalidValueError, "excluded_offsets", **{"1": np.array([0, 0])})


def test_diversity_is_one_less_the_mean_similarity():
    table = mr.FeatureTable(
        {
            "kind": mr.Categorical(np.array([0, 0, 1, -1], np.int32), size=2),
            "tags": mr.Bag(np.array([0, 1, 1, 2, 0], np.int32), np.array([0, 2, 4, 5, 5]), size=3),
            "text": mr.Dense(np.array([[1.0, 0], [1, 1], [0, 2], [0, 0]])),
        }
    )
    half = np.sqrt(0.5)
    pairs = {
        (0, 1): (1 + 0.5 + half) / 3,
        (0, 2): (0 + half + 0) / 3,
        (1, 2): (0 + 0 + half) / 3,
    }
    rows = np.array([[0, 1, -1], [0, 1, 2], [2, -1, -1], [0, 3, -1], [3, -1, -1]], np.int32)
    found = _metarec.list_diversity(rows, table.native)
    expected = [1 - pairs[0, 1], 1 - np.mean(list(pairs.values())), np.nan, np.nan, np.nan]
    np.testing.assert_allclose(found, expected)
    with pytest.raises(InvalidIndexError, match="lists: 0 is 4"):
        _metarec.list_diversity(np.array([[4]], np.int32), table.native)


# In a report


@pytest.fixture(scope="module")
def splits():
    return small_splits()


class Scores:
    """Scores of its own for every item, the same for everybody."""

    def __init__(self, scores):
        self.scores = np.asarray(scores, float)

    def predict(self, tasks):
        return self.scores[tasks.item_index[tasks.query()[0]]]


class Direct(Scores):
    def score_catalogue(self, tasks):
        return np.tile(self.scores.astype(np.float32), (len(tasks), 1))


@pytest.fixture(scope="module")
def models(splits):
    scores = np.random.default_rng(0).permutation(splits.data.item_count)
    return {"by rows": Scores(scores), "at once": Direct(scores)}


@pytest.fixture(scope="module")
def report(models, splits):
    return evaluate(
        models, splits, ranking="catalogue", draws=2, support_sizes=(1, 3), resamples=50
    )


def own_items(splits, scenario, tasks):
    """What each user has: the support, and what is trained on."""
    training = splits.train_and_validation
    rows, offsets = tasks.support()
    for at, user in enumerate(scenario.users):
        mine = tasks.item_index[rows[offsets[at] : offsets[at + 1]]]
        yield np.union1d(mine, training.item[training.user == user])


@pytest.mark.parametrize("name", ["new_user", "new_item"])
def test_a_report_is_of_all_candidates(report, splits, models, name):
    scenario, scores = splits[name], models["by rows"].scores
    expected = {metric: [] for metric in ("ndcg@10", "hr@10", "recall@10", "mrr", "novelty@10")}
    training = splits.train_and_validation
    shares = np.bincount(training.item, minlength=training.item_count)
    users = len(np.unique(training.user))
    for draw in range(2):
        tasks = scenario.tasks(draw)
        query, offsets = tasks.query()
        found = {metric: [] for metric in expected}
        for at, known in enumerate(own_items(splits, scenario, tasks)):
            relevant = tasks.item_index[query[offsets[at] : offsets[at + 1]]]
            order = np.argsort(-scores)
            order = order[~np.isin(order, known)]
            hits = np.isin(order, relevant)
            discounts = 1 / np.log2(np.arange(len(order)) + 2)
            found["ndcg@10"].append((hits * discounts)[:10].sum() / discounts[:10].sum())
            found["hr@10"].append(hits[:10].any())
            found["recall@10"].append(hits[:10].sum() / 10)
            found["mrr"].append(1 / (np.argmax(hits) + 1))
            popular = (shares[order[:10]] + 1) / (users + 1)
            found["novelty@10"].append(-np.log2(popular).mean())
        for metric, values in found.items():
            expected[metric].append(np.mean(values))
    for model in models:
        for metric, values in expected.items():
            assert report.interval(model, name, metric).value == pytest.approx(np.mean(values))


def test_candidates_are_the_same_for_every_support_size(report):
    for size in (1, 3):
        found = report.interval("at once", "new_user", "ndcg@10", support_size=size)
        assert found == report.interval("by rows", "new_user", "ndcg@10", support_size=size)
    one, three = (
        report.interval("at once", "new_user", "ndcg@10", support_size=size).value
        for size in (1, 3)
    )
    assert one == three  # a model that does not look at the support


def test_lists(report, splits, models):
    scenario, scores = splits.new_user, models["by rows"].scores
    seen = []
    for draw in range(2):
        tasks = scenario.tasks(draw)
        best = set()
        for known in own_items(splits, scenario, tasks):
            order = np.argsort(-scores)
            best |= {*order[~np.isin(order, known)][:10].tolist()}
        seen.append(len(best) / splits.data.item_count)
    found = report.interval("at once", "new_user", "coverage@10")
    assert found.value == pytest.approx(np.mean(seen)) and np.isnan(found.low)
    # Items that are known by their id alone are neither like nor unlike.
    assert "diversity@10" not in report.to_frame("dict")["metric"]
    popular = report.interval("popularity", "new_user", "popularity_bias@10").value
    assert popular > 1 > 0 < report.interval("at once", "new_user", "popularity_bias@10").value


def test_popularity_is_the_floor(report, splits):
    assert report.floors == ["popularity"] and "paired difference from popularity" in repr(report)
    counts = Popularity().fit(splits.train_and_validation)
    same = evaluate(
        {"counts": Scores(counts.counts_)}, splits, ranking="catalogue", draws=1, resamples=10
    )
    rows = same.compare("counts", "popularity", metrics=["ndcg@10"]).rows
    assert rows and all(row["difference"] == 0 for row in rows)


def test_relevant_rows_alone(splits):
    class FiveFirst:
        def score_catalogue(self, tasks):
            users = tasks.user_index if tasks.task_ids is None else tasks.user_index[tasks.task_ids]
            return (known.ratings[users] == 5) * existing

    known, training = Answers(splits.data), splits.train_and_validation
    # The user's fives among new items are of another scenario.
    existing = np.isin(np.arange(splits.data.item_count), training.item).astype(float)
    options = {"draws": 1, "support_sizes": (), "resamples": 10, "scenarios": ["new_user"]}
    found = evaluate(
        FiveFirst(), splits, ranking="catalogue", relevant=5, metrics=["mrr", "map"], **options
    )
    for metric in ("mrr", "map"):
        interval = found.interval("FiveFirst", "new_user", metric)
        assert interval.value == pytest.approx(1) and 0 < interval.tasks <= len(splits.new_user)


def test_learners_rank_catalogues(splits):
    model = mr.FineTune(embedding_dim=2, hidden=(4,), epochs=1).fit(splits.train, progress=False)
    tasks = splits.new_user.tasks(0).take([4, 2])
    whole = everything(tasks, splits.data.item_count)
    one = model.predict(whole).reshape(2, -1)
    query, offsets = tasks.query()
    np.testing.assert_array_equal(
        one[1, tasks.item_index[query[offsets[1] :]]], model.predict(tasks)[offsets[1] :]
    )
    np.testing.assert_allclose(model.score_catalogue(tasks), one, rtol=1e-5)
    options = {"draws": 1, "support_sizes": (1,), "resamples": 10, "scenarios": ["new_user"]}
    found = evaluate(model, splits, ranking="catalogue", **options)
    assert 0 < found.interval("FineTune", "new_user", "ndcg@10").value < 1


@pytest.mark.parametrize("name", ["mae", "ndcg@0", "coverage", "auc@3", "hr@x"])
def test_metrics_of_something_else(splits, name):
    with pytest.raises(InvalidValueError, match=name):
        evaluate([], splits, ranking="catalogue", metrics=[name])


def test_rankings_there_are(splits):
    with pytest.raises(InvalidValueError, match=r"ranking: got 'sampled'"):
        evaluate([], splits, ranking="sampled")
    with pytest.raises(InvalidValueError, match=r"short on warm: got scores of shape \(2, 2\)"):

        class Short:
            def score_catalogue(self, tasks):
                return np.zeros((2, 2))

        evaluate({"short": Short()}, splits, ranking="catalogue")
    with pytest.raises(InvalidTypeError, match=r"short has no predict"):
        evaluate({"short": Short()}, splits)


@pytest.mark.skipif(
    not Path(os.environ.get("METAREC_DATA", ""), "hetrec-lastfm").is_dir(),
    reason="METAREC_DATA has no hetrec-lastfm",
)
def test_real_listening():
    data = mr.datasets.hetrec_lastfm()
    splits = split.cold_start(
        data, new_users=0.2, new_items=0.0, min_ratings=20, max_ratings=None, seed=0
    )
    found = evaluate(
        [],
        splits,
        ranking="catalogue",
        support_sizes=(1, 3, 5, 10),
        draws=1,
        scenarios=["new_user"],
    )
    assert {*CATALOGUE_METRICS} == {*found.to_frame("dict")["metric"]}
    assert found.support_sizes("new_user", "ndcg@10") == [1, 3, 5, 10]
    assert 0.03 < found.interval("popularity", "new_user", "ndcg@10").value < 0.12


# The native module


def test_arrays_of_another_type_are_refused():
    scores, none = np.zeros((2, 3)), lists([[], []])
    ok = [scores, *none, *none, [("hr", 1, 1.0)], 1]
    others = {
        0: (
            scores.astype(int),
            np.asfortranarray(np.zeros((2, 3))),
            scores.astype(">f8"),
            scores[0],
        ),
        1: (none[0].astype(np.int32), np.zeros((3, 1), np.int64)),
        2: (none[1].astype(np.int64),),
        4: (np.zeros(0),),
        6: (1.0, "1"),
    }
    for place, values in others.items():
        for value in values:
            arguments = [*ok]
            arguments[place] = value
            with pytest.raises((InvalidTypeError, InvalidValueError)):
                _metarec.catalogue(*arguments)
    for k in (2**62, 2**50):
        with pytest.raises(OutOfMemoryError):
            _metarec.catalogue(*ok[:-1], k)


def test_nothing_at_all():
    none = lists([])
    above, below, best = _metarec.catalogue(np.zeros((0, 5)), *none, *none, [("hr", 1, 1.0)], 3)
    assert above.shape == below.shape == (1, 0) and best.shape == (0, 3)
    above, _, best = _metarec.catalogue(np.zeros((2, 0)), *lists([[], []]), *lists([[], []]), [], 2)
    assert above.shape == (0, 2) and (best == -1).all()


def test_closed_features_have_no_diversity():
    table = mr.FeatureTable({"kind": mr.Categorical(np.zeros(3, np.int32), size=1)}).native
    rows = np.array([[0, 2]], np.int32)
    assert _metarec.list_diversity(rows, table).tolist() == [0.0]
    with pytest.raises(InvalidTypeError, match="lists"):
        _metarec.list_diversity(rows.astype(np.int64), table)
    with pytest.raises(InvalidTypeError, match="items"):
        _metarec.list_diversity(rows, rows)
    table.close()
    with pytest.raises(StateError):
        _metarec.list_diversity(rows, table)
