"""Bayesian matrix factorisation and its levels, from Python."""

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import metarec as mr
from metarec import _metarec
from metarec.decisions import decide, levels_of
from metarec.errors import InvalidTypeError, InvalidValueError, NotFittedError, StateError
from metarec.ordered_probit import OrderedProbit

FAST = {"rank": 4, "samples": 6, "burn_in": 10, "interval": 1}


@pytest.fixture(scope="module")
def splits():
    data = mr.datasets.synthetic(users=300, items=120, seed=1)
    return mr.split.cold_start(data, seed=0)


@pytest.fixture(scope="module")
def model(splits):
    return mr.BayesianMF(**FAST).fit(splits.train, splits.validation)


def rmse(model, tasks):
    return np.sqrt(np.mean(np.square(model.predict(tasks) - tasks.query_targets()[0])))


def test_beats_the_offsets_in_every_scenario(model, splits):
    bias = mr.baselines.Bias().fit(splits.train)
    for scenario in splits.values():
        tasks = scenario.tasks()
        assert rmse(model, tasks) < rmse(bias, tasks), scenario


def test_fold_in_agrees_with_numpy(model, splits):
    f = model._factors
    for tasks in (splits.new_user.tasks().take([1]), splits.new_both.tasks().take([0])):
        support, query = tasks.item_index[tasks.support()[0]], tasks.item_index[tasks.query()[0]]
        ratings = tasks.targets[tasks.support()[0]]
        features = np.zeros(f["user_weights"].shape[1])
        features[0], first = 1, 1
        for field in tasks.users.take(tasks.user_index[tasks.task_ids]).fields.values():
            known = field.ids[field.ids >= 0]
            features[first + known] = 1 / np.sqrt(max(len(known), 1))
            first += field.size
        means, variances = [], []
        for s in range(len(f["noise"])):
            z = f["item_factors"][s].astype(float)
            noise = f["noise"][s] + f["item_novelty"] * f["content_noise"][s]
            a = np.column_stack([np.ones(len(support)), z[support, 1:]])
            precision = f["user_precision"][s] + (a.T / noise[support]) @ a
            right = f["user_precision"][s] @ (features @ f["user_weights"][s])
            right += a.T @ ((ratings - f["mean"] - z[support, 0]) / noise[support])
            user = np.linalg.solve(precision, right)
            q = np.column_stack([np.ones(len(query)), z[query, 1:]])
            means.append(f["mean"] + z[query, 0] + q @ user)
            quadratic = np.einsum("rk,kl,rl->r", q, np.linalg.inv(precision), q)
            variances.append(quadratic + noise[query])
        got_means, got_variances = _metarec.fold_in(f, tasks.native, 1, True)
        np.testing.assert_allclose(got_means, np.mean(means, 0), rtol=1e-5)
        expected = np.mean(variances, 0) + np.var(means, 0)
        np.testing.assert_allclose(got_variances, expected, rtol=1e-4)


def test_decisions_read_one_distribution(model, splits):
    tasks = splits.new_item.tasks()
    p = model.predict(tasks, decision="distribution")
    assert p.shape == (tasks.query_rows, 5) and (p >= 0).all()
    np.testing.assert_allclose(p.sum(1), 1)
    np.testing.assert_allclose(model.predict(tasks), p @ model.levels_, atol=1e-6)
    np.testing.assert_array_equal(model.predict(tasks, decision="mode"), model.levels_[p.argmax(1)])
    median = model.predict(tasks, decision="median")
    at_most = np.where(model.levels_ <= median[:, None], p, 0).sum(1)
    below = np.where(model.levels_ < median[:, None], p, 0).sum(1)
    assert (at_most >= 0.5 - 1e-9).all() and (below < 0.5).all()
    with pytest.raises(InvalidValueError, match="decision"):
        model.predict(tasks, decision="gain")


def test_same_bits_for_any_number_of_threads(splits):
    one, two = (mr.BayesianMF(**FAST, threads=n).fit(splits.train) for n in (1, 2))
    for name, value in one._factors.items():
        np.testing.assert_array_equal(value, two._factors[name], name)
    other = mr.BayesianMF(**FAST, seed=1).fit(splits.train)
    assert (other._factors["item_factors"] != one._factors["item_factors"]).any()


def test_features_that_say_nothing_get_little_weight():
    rng = np.random.default_rng(0)
    group, chance = rng.integers(0, 4, 200), rng.integers(0, 10, 200)
    quality = np.array([-1.0, -0.3, 0.3, 1.0])[group] + 0.2 * rng.normal(size=200)
    user, item = np.nonzero(rng.random((100, 200)) < 0.2)
    data = mr.Dataset.from_frames(
        {"user": user, "item": item, "rating": 3 + quality[item] + rng.normal(size=len(user))},
        items={"item": np.arange(200), "group": group, "chance": chance},
    )
    model = mr.BayesianMF(rank=1, samples=5, burn_in=30).fit(data)
    variances = model.feature_variances_
    assert list(variances) == ["1", "group", "chance"]
    assert variances["group"] > 5 * variances["chance"]
    assert model.levels_ is None  # The ratings are continuous.
    tasks = data.tasks()
    assert model.predict(tasks).shape == (len(data),)
    with pytest.raises(InvalidValueError, match="levels"):
        model.predict(tasks, decision="median")


def test_dense_and_missing_features(splits):
    rng = np.random.default_rng(0)
    vectors = rng.normal([100, 0, 0], size=(60, 3)).astype(np.float32)
    vectors[5] = 0
    weights = np.array([0.0, 1.0, -1.0])
    user, item = np.nonzero(rng.random((80, 60)) < 0.4)
    truth = vectors @ weights
    rating = 3 + truth[item] + 0.1 * rng.normal(size=len(user))
    data = mr.Dataset.from_frames(
        {"user": user, "item": item, "rating": rating},
        items={"item": np.arange(60), "plot": list(vectors)},
        fields={"plot": "dense"},
    )
    model = mr.BayesianMF(rank=1, samples=10, burn_in=30).fit(data.view(data.item < 50))
    new = np.flatnonzero(data.item >= 50)
    tasks = data.view(new).tasks()
    errors = model.predict(tasks) - (3 + truth[tasks.item_index])
    assert np.sqrt(np.mean(errors**2)) < 0.3 < truth[50:].std()


def test_new_items_of_another_table(model, splits):
    placed = _metarec.place_items(model._factors, splits.train.items.native)
    cold = model._factors["item_novelty"] > 0
    assert cold.any()
    for name, rows in (("item_factors", np.s_[:, cold]), ("item_novelty", np.s_[cold])):
        np.testing.assert_array_equal(placed[name][rows], model._factors[name][rows])
    assert (placed["item_novelty"] > 0).all()

    # The same items in a table of their own, in another order, are predicted the same.
    codes = np.flatnonzero(cold[:-1])
    other = model.with_items(splits.train.items.take(codes[::-1]))
    users = splits.train.users
    answers = []
    for estimator, table, index in (
        (model, splits.train.items, codes[:4]),
        (other, splits.train.items.take(codes[::-1]), len(codes) - 1 - np.arange(4)),
    ):
        tasks = mr.TaskSet(
            np.array([0, 4]),
            np.array([2]),
            index.astype(np.int32),
            np.array([5, 1, 0, 0], np.float32),
            np.array([3], np.int32),
            items=table,
            users=users,
        )
        answers.append(estimator.predict(tasks, decision="distribution"))
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5)
    with pytest.raises(InvalidValueError, match="fields"):
        model.with_items(users)
    with pytest.raises(InvalidTypeError, match="items"):
        model.with_items(None)


def test_pickles(model, splits):
    tasks = splits.new_user.tasks()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(tasks), model.predict(tasks))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rank": -1}, InvalidValueError, "rank"),
        ({"rank": 257}, InvalidValueError, "rank"),
        ({"rank": 2.5}, InvalidTypeError, "rank"),
        ({"samples": 0}, InvalidValueError, "samples"),
        ({"burn_in": -1}, InvalidValueError, "burn_in"),
        ({"interval": 0}, InvalidValueError, "interval"),
        ({"threads": 0}, InvalidValueError, "threads"),
        ({"probits": {}}, InvalidValueError, "probits"),
        ({"probits": dict.fromkeys(("known", "new"))}, InvalidValueError, "probits"),
        ({"seed": "x"}, InvalidTypeError, "seed"),
    ],
)
def test_refuses_options(options, error, message, splits):
    with pytest.raises(error, match=message):
        mr.BayesianMF(**(FAST | options)).fit(splits.train)


def test_boundary_refuses_arrays_that_do_not_fit(model, splits):
    tasks = splits.new_user.tasks().native
    f = model._factors
    for name, wrong in (
        ("item_factors", f["item_factors"].astype(np.float64)),
        ("item_factors", f["item_factors"][0]),
        ("item_factors", f["item_factors"][:, ::2]),
        ("item_novelty", f["item_novelty"][1:]),
        ("user_weights", f["user_weights"][:, :, 1:].copy()),
        ("user_weights", f["user_weights"][:, 1:].copy()),
        ("user_precision", -f["user_precision"]),
        ("noise", f["noise"][:0]),
        ("content_noise", f["content_noise"].tolist()),
        ("mean", "x"),
    ):
        with pytest.raises(mr.MetarecError):
            _metarec.fold_in(f | {name: wrong}, tasks, 1, True)
        with pytest.raises(InvalidValueError, match=name):
            _metarec.fold_in({k: v for k, v in f.items() if k != name}, tasks, 1, True)
    with pytest.raises(InvalidTypeError, match="dict"):
        _metarec.fold_in([], tasks, 1, True)
    with pytest.raises(InvalidTypeError, match="tasks"):
        _metarec.fold_in(f, None, 1, True)
    train = splits.train
    for user, item, match in (
        (train.user + train.user_count, train.item, "user"),
        (train.user, train.item - 1, "item"),
        (train.user[1:], train.item, "item"),
        (train.user.astype(np.int64), train.item, "user"),
    ):
        with pytest.raises(mr.MetarecError, match=match):
            _metarec.sample_factors(
                user, item, train.rating, train.items.native, None,
                train.user_count, 2, 1, 0, 1, 1, 0,
            )  # fmt: skip


def test_interrupt_within_moments(splits, monkeypatch):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals arrive in the main thread")
    sent = []

    def interrupt():
        time.sleep(0.3)
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    sample = _metarec.sample_factors

    def interrupted(*args, **kwargs):  # a signal that came earlier would not be for the kernels
        threading.Thread(target=interrupt).start()
        return sample(*args, **kwargs)

    monkeypatch.setattr(_metarec, "sample_factors", interrupted)
    model = mr.BayesianMF(rank=16, samples=100_000)
    with pytest.raises(KeyboardInterrupt):
        model.fit(splits.train)
    assert time.process_time() - sent[0] < 1  # Of this process: the machine may be busy.
    with pytest.raises(NotFittedError):
        model.predict(splits.new_user.tasks())


def test_levels_of():
    def levels(ratings):
        return levels_of(mr.Dataset.from_arrays(range(len(ratings)), range(len(ratings)), ratings))

    np.testing.assert_allclose(levels([0.5, 1, 5]), np.arange(0.5, 5.1, 0.5))
    np.testing.assert_array_equal(levels([3]), [3])
    assert levels([1, 2, 2.5001]) is None
    assert levels(np.linspace(0, 1, 500)) is None


def test_decide_by_hand():
    p, levels = np.array([[0.2, 0.3, 0.5], [0.5, 0.5, 0.0]]), np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(decide(p, levels, "mean"), [2.8, 1.5])
    np.testing.assert_array_equal(decide(p, levels, "median"), [2, 1])
    np.testing.assert_array_equal(decide(p, levels, "mode"), [4, 1])
    assert decide(p, levels, "distribution") is p


def test_ordered_probit_learns_how_the_scale_is_used():
    rng = np.random.default_rng(0)
    m, v = rng.normal(3.4, 0.6, 4000), rng.uniform(0.5, 1, 4000)
    rating = 1.0 + np.searchsorted(
        [1.5, 1.9, 3.5, 4.2], m + 0.2 + np.sqrt(v) * rng.normal(size=4000)
    )
    plain, learned = OrderedProbit(np.arange(1, 6)), OrderedProbit(np.arange(1, 6))
    learned.fit(m[:2000], v[:2000], rating[:2000])

    def loss(probit):
        p = probit.probabilities(m[2000:], v[2000:])
        return -np.log(p[np.arange(2000), rating[2000:].astype(int) - 1]).mean()

    assert loss(learned) < loss(plain) - 0.02
    bias = (learned.mean(m[2000:]) - rating[2000:]).mean()
    assert abs(bias) < 0.06 < abs((plain.mean(m[2000:]) - rating[2000:]).mean())
    before = repr(learned)
    assert repr(learned.fit([], [], [])) == before
    with pytest.raises(InvalidValueError, match="variances"):
        plain.probabilities([1.0], [0.0])


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("METAREC_DATA" not in os.environ, reason="METAREC_DATA is not set")
def test_known_results_on_movielens_1m():
    """A quick run, with room for one draw: by default it has .058, .049 and .040 over two."""
    validation = mr.split.melu(mr.datasets.movielens_1m(), seed=0).validation
    model = mr.BayesianMF(rank=16, samples=10).fit(validation.train)
    bias = mr.baselines.Bias().fit(validation.train)
    for name, gain in (("new_user", 0.045), ("new_item", 0.034), ("new_both", 0.025)):
        tasks = validation[name].tasks()
        assert rmse(model, tasks) < rmse(bias, tasks) - gain, name


def test_the_adapted_user_predicts_as_the_task_would(model, splits):
    scenario = splits.new_user
    tasks, data = scenario.tasks().take([0]), scenario.data
    rows, (start, end) = tasks.support()
    items = data.item_ids(tasks.item_index[rows[start:end]])
    queries = data.item_ids(tasks.item_index[tasks.query()[0]])
    user = data.user_ids([scenario.users[0]])[0]
    adapted = model.adapt(items, tasks.targets[rows], user=user)
    np.testing.assert_array_equal(adapted.predict(queries), model.predict(tasks))
    best = adapted.recommend(k=5)
    assert len(best) == 5 and not set(best.items) & set(items)
    assert np.isfinite(model.adapt().predict(["no such item"])).all()
    for items, ratings in (([3], [1, 2]), ([3], [np.nan]), ([3], ["a"])):
        with pytest.raises((InvalidValueError, InvalidTypeError), match=r"ratings|targets"):
            model.adapt(items, ratings)
    with pytest.raises(NotFittedError):
        mr.BayesianMF().adapt([3], [1])
    other = model.with_items(data.items.take(np.arange(9)))
    with pytest.raises(InvalidValueError, match="items"):
        other.adapt([3], [1])


def test_an_adapted_user_of_an_earlier_fit_says_so(splits):
    model = mr.BayesianMF(**FAST).fit(splits.train)
    adapted = model.adapt([3], [5])
    model.fit(splits.train)
    with pytest.raises(StateError, match="adapt"):
        adapted.predict([3])


def test_saved_and_copied_models_predict_the_same(model, splits, tmp_path):
    model.save(tmp_path / "model.metarec")
    tasks = splits.new_both.tasks()
    expected = model.predict(tasks, decision="distribution")
    for other in (mr.load(tmp_path / "model.metarec"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(tasks, decision="distribution"), expected)
        assert repr(other) == repr(model) and other.feature_variances_ == model.feature_variances_
        assert (other.trained_on_.mask == model.trained_on_.mask).all()
        mine, theirs = (each.adapt([3], [5], user={"age": 1}) for each in (model, other))
        assert (mine.recommend(k=3).items == theirs.recommend(k=3).items).all()
    # Its options with it, levels and learned probits among them.
    again = mr.BayesianMF(**FAST, levels=model.levels_, probits=model.probits_).fit(splits.train)
    again.save(tmp_path / "again.metarec")
    loaded = mr.load(tmp_path / "again.metarec")
    np.testing.assert_array_equal(loaded.levels, model.levels_)
    np.testing.assert_array_equal(loaded.probits["new"].cuts, model.probits_["new"].cuts)


def test_levels_of_ones_own():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((60, 40)) < 0.4)
    data = mr.Dataset.from_arrays(user, item, rng.normal(size=len(user)))
    model = mr.BayesianMF(**FAST, levels=[-1, 0, 1]).fit(data)
    p = model.predict(data.tasks(), decision="distribution")
    assert p.shape == (len(data), 3)
    with pytest.raises(InvalidValueError, match="levels"):
        mr.BayesianMF(**FAST, levels=[1, 0]).fit(data)


def test_an_item_is_scored_by_itself_for_one_user(model, splits):
    """By products of blocks, on any number of threads, from columns or gathered rows."""
    tasks = splits.new_user.tasks().take([0])
    user = model._fold_user(tasks)
    items = np.append(np.arange(model._item_rows, dtype=np.int32), np.int32(-1))
    items = np.tile(items, 9)
    columns = model._item_columns()
    assert columns is model._item_columns()
    means, variances = _metarec.score_items(model._factors, user, columns, items, 1)
    for threads in (2, 3):
        again = _metarec.score_items(model._factors, user, columns, items, threads)
        np.testing.assert_array_equal(again, (means, variances))
    order = np.random.default_rng(0).permutation(len(items))
    again = _metarec.score_items(model._factors, user, columns, items[order], 2)
    np.testing.assert_array_equal(again, (means[order], variances[order]))
    asked = mr.TaskSet(
        np.array([0, tasks.support_rows + len(items)]),
        np.array([tasks.support_rows]),
        np.append(tasks.item_index[tasks.support()[0]], items),
        np.append(tasks.targets[tasks.support()[0]], np.zeros(len(items))),
        None if tasks.user_index is None else tasks.user_index[:1],
        items=tasks.items,
        users=tasks.users,
    )
    wanted = _metarec.fold_in(model._factors, asked.native, 1, True)
    np.testing.assert_allclose(means, wanted[0], rtol=2e-6)
    np.testing.assert_allclose(variances, wanted[1], rtol=2e-5)


def test_boundary_of_one_user_refuses_what_does_not_fit(model, splits):
    tasks, f = splits.new_user.tasks(), model._factors
    user, columns = model._fold_user(tasks.take([0])), model._item_columns()
    items = np.arange(3, dtype=np.int32)
    with pytest.raises(InvalidValueError, match="wanted one"):
        _metarec.fold_user(f, tasks.native, 1)
    for wrong, match in (
        ({"user": user[:, 1:].copy()}, "user"),
        ({"item_columns": columns[:, :, :-1].copy()}, "item_columns"),
        ({"item_columns": columns[1:].copy()}, "item_columns"),
        ({"item_columns": np.concatenate([columns, columns])}, "item_columns"),
        ({"items": items + model._item_rows}, r"items\[0\]"),
        ({"items": items - 2}, r"items\[0\]"),
        ({"threads": -1}, "threads"),
    ):
        given = {"factors": f, "user": user, "item_columns": columns, "items": items, "threads": 1}
        with pytest.raises(mr.MetarecError, match=match):
            _metarec.score_items(**given | wrong)
