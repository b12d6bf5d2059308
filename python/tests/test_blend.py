"""Blends: weights against a grid, and what must hold."""

import numpy as np
import pytest

import metarec as mr
from metarec.blend import best_weights
from metarec.errors import InvalidTypeError, InvalidValueError, NotFittedError

FAST = {"samples": 5, "burn_in": 10, "interval": 1}


@pytest.fixture(scope="module")
def splits():
    data = mr.datasets.synthetic(users=400, items=150, seed=2)
    return mr.split.cold_start(data, new_items=0.3, min_ratings=4, query=3, seed=0)


def log_score(model, tasks):
    p = model.predict(tasks, decision="distribution")
    places = (tasks.query_targets()[0] - model.levels_[0]).astype(int)
    return np.log(p[np.arange(len(p)), places]).mean()


def test_weights_are_the_best_on_a_grid():
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(4), 500)
    hits = np.array([rng.choice(4, p=p) for p in truth])
    noisy = [truth**a * rng.dirichlet(np.ones(4) * 5, 500) for a in (0.3, 1.0)]
    logs = np.log(np.stack([p / p.sum(1, keepdims=True) for p in noisy]))

    def likelihood(w):
        p = np.exp(w * logs[0] + (1 - w) * logs[1])
        return np.log(p[np.arange(500), hits] / p.sum(1)).mean()

    grid = np.linspace(0, 1, 201)
    best = grid[np.argmax([likelihood(w) for w in grid])]
    weights = best_weights(logs, hits)
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    assert weights[0] == pytest.approx(best, abs=0.02)


def test_a_model_that_knows_gets_all_the_weight():
    right, wrong = np.log([[0.98, 0.02]] * 50), np.log([[0.02, 0.98]] * 50)
    weights = best_weights(np.stack([wrong, right]), np.zeros(50, np.int64))
    assert weights[1] > 0.99
    np.testing.assert_array_equal(
        best_weights(np.zeros((3, 0, 2)), np.zeros(0, np.int64)), [1 / 3] * 3
    )


def test_blend_is_at_least_as_likely_as_its_parts_on_validation(splits):
    models = [mr.BayesianMF(rank=r, **FAST, seed=r) for r in (0, 3)]
    blend = mr.Blend(models, draws=1).fit(splits.train, splits.validation)
    assert set(blend.weights_) == {"known", "new"}
    for scenario in ("warm", "new_item"):
        tasks = splits.validation[scenario].tasks()
        parts = [log_score(model, tasks) for model in models]
        assert log_score(blend, tasks) > min(parts)
    known = [splits.validation[name].tasks() for name in ("warm", "new_user")]
    rows = np.array([tasks.query_rows for tasks in known])

    def pooled(model):
        return np.average([log_score(model, tasks) for tasks in known], weights=rows)

    assert pooled(blend) >= max(pooled(model) for model in models) - 1e-4
    p = blend.predict(splits.new_user.tasks(), decision="distribution")
    np.testing.assert_allclose(p.sum(1), 1)
    assert list(blend.named_weights()["known"]) == ["BayesianMF", "BayesianMF 2"]


def test_fitted_models_are_used_as_they_are(splits):
    model = mr.BayesianMF(rank=2, **FAST).fit(splits.train)
    before = model._factors["item_factors"].copy()
    tasks = splits.new_both.tasks()
    blend = mr.Blend([model]).fit(splits.train, splits.validation)
    np.testing.assert_array_equal(model._factors["item_factors"], before)
    np.testing.assert_allclose(
        blend.predict(tasks, decision="distribution"),
        model.predict(tasks, decision="distribution"),
        atol=1e-6,
    )


def test_what_validation_chose_is_kept_for_the_whole_training_part(splits):
    chosen = mr.BayesianMF(rank=2, **FAST).fit(splits.train, splits.validation)
    blend = mr.Blend([chosen, mr.BayesianMF(rank=0, **FAST)]).fit(splits.train, splits.validation)
    whole = mr.BayesianMF(rank=2, **FAST, probits=chosen.probits_).fit(splits.train_and_validation)
    np.testing.assert_array_equal(whole.probits_["new"].cuts, chosen.probits_["new"].cuts)
    other = mr.BayesianMF(rank=0, **FAST).fit(splits.train_and_validation)
    final = mr.Blend([whole, other], weights=blend.weights_).fit(splits.train_and_validation)
    np.testing.assert_array_equal(final.weights_["known"], blend.weights_["known"])
    tasks = splits.new_both.tasks()
    logs = sum(
        w * np.log(model.predict(tasks, decision="distribution"))
        for w, model in zip(blend.weights_["new"], (whole, other), strict=True)
    )
    p = np.exp(logs)
    np.testing.assert_allclose(
        final.predict(tasks, decision="distribution"), p / p.sum(1, keepdims=True), atol=1e-6
    )


@pytest.mark.parametrize(
    "weights",
    [{"known": [1.0]}, {"known": [0.5], "new": [1]}, {"known": [2, -1], "new": [1]}, [1.0]],
)
def test_refuses_weights(splits, weights):
    model = mr.BayesianMF(rank=0, **FAST)
    with pytest.raises(InvalidValueError, match="weights"):
        mr.Blend([model], weights=weights).fit(splits.train)


def test_refuses(splits):
    model = mr.BayesianMF(rank=1, **FAST).fit(splits.train)
    with pytest.raises(NotFittedError):
        mr.Blend([model]).predict(splits.new_user.tasks())
    with pytest.raises(InvalidValueError, match="models"):
        mr.Blend([]).fit(splits.train, splits.validation)
    with pytest.raises(InvalidValueError, match="validation"):
        mr.Blend([model]).fit(splits.train)
    with pytest.raises(InvalidTypeError, match=r"models\[1\].*Bias"):
        mr.Blend([model, mr.baselines.Bias()]).fit(splits.train, splits.validation)
    other = mr.BayesianMF(rank=1, **FAST).fit(splits.train)
    other.levels_ = np.arange(10.0)
    with pytest.raises(InvalidValueError, match="levels"):
        mr.Blend([model, other]).fit(splits.train, splits.validation)
