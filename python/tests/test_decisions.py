"""Distributions are scored by what is best for each metric; calibration is what it says."""

import numpy as np
import pytest
from scenarios import Answers, Constant, Same, small_splits

from metarec import _metarec
from metarec.errors import InvalidTypeError, InvalidValueError, NumericalError
from metarec.evaluation import evaluate

# Mode 5, median 4, mean 3.4: three different decisions.
SKEWED = [0.2, 0.15, 0.1, 0.15, 0.4]
LEVELS = np.arange(1.0, 6.0)
OPTIONS = {"draws": 2, "support_sizes": (), "resamples": 50, "scenarios": ["new_user"]}


@pytest.fixture(scope="module")
def splits():
    return small_splits()


@pytest.fixture(scope="module")
def report(splits):
    return evaluate({"skewed": Same(SKEWED), "three": Constant(3)}, splits, **OPTIONS)


@pytest.fixture(scope="module")
def targets(splits):
    return [splits.new_user.tasks(draw).query_targets()[0].astype(float) for draw in range(2)]


def pooled(targets, error):
    return np.mean([error(y) for y in targets])


def test_each_metric_scores_its_optimum(report, targets):
    expected = {
        ("mae", "median"): pooled(targets, lambda y: np.abs(y - 4).mean()),
        ("mae", "mean"): pooled(targets, lambda y: np.abs(y - 3.4).mean()),
        ("rmse", "mean"): pooled(targets, lambda y: np.sqrt(np.square(y - 3.4).mean())),
        ("accuracy", "mode"): pooled(targets, lambda y: np.mean(y == 5)),
        ("nll", "distribution"): pooled(
            targets, lambda y: -np.log(np.array(SKEWED)[y.astype(int) - 1]).mean()
        ),
    }
    for (metric, decision), value in expected.items():
        found = report.interval("skewed", "new_user", metric, decision=decision)
        assert found.value == pytest.approx(value)
    decisions = {}
    frame = report.to_frame("dict")
    for name, metric, decision in zip(
        frame["model"], frame["metric"], frame["decision"], strict=True
    ):
        decisions.setdefault((name, metric.partition("@")[0]), set()).add(decision)
    assert decisions["skewed", "mae"] == {"median", "mean"}
    assert decisions["skewed", "ndcg"] == {"gain"}
    assert decisions["skewed", "accuracy"] == {"mode"}
    assert decisions["three", "mae"] == {"mean", "rounded"}
    assert ("three", "nll") not in decisions and ("bias", "coverage90") not in decisions


def test_the_best_decision_is_the_default(report):
    assert report.interval("skewed", "new_user", "mae") == report.interval(
        "skewed", "new_user", "mae", decision="median"
    )
    assert report.interval("three", "new_user", "mae") == report.interval(
        "three", "new_user", "mae", decision="mean"
    )


class Knows:
    """A distribution around the truth, whose expected gain and mean order rows differently."""

    levels_ = LEVELS

    def __init__(self, data):
        self.answers = Answers(data)

    def predict(self, tasks, decision="mean"):
        y = self.answers.of(tasks)
        # 5 or 1 by chance has the greater gain, 4 for certain the greater mean.
        table = np.array([[0.0, 0, 0, 1, 0]] * 4 + [[0.35, 0, 0, 0, 0.65]])
        return table[y.astype(int) - 1]


def test_ndcg_ranks_by_expected_gain(splits):
    gains = 2**LEVELS - 1
    certain, chance = gains[3], 0.35 * gains[0] + 0.65 * gains[4]
    assert certain < chance and 4 > 0.35 + 0.65 * 5
    report = evaluate(Knows(splits.data), splits, metrics=["ndcg@1"], floors=False, **OPTIONS)
    # Users with a five have one of them first.
    lists = []
    for draw in range(2):
        y, offsets = splits.new_user.tasks(draw).query_targets()
        best = np.maximum.reduceat(y, offsets[:-1])
        mean = np.add.reduceat(2.0**y - 1, offsets[:-1]) / np.diff(offsets)
        lists.append(np.mean(np.where(best == 5, 1, mean / (2.0**best - 1))))
    found = report.interval("Knows", "new_user", "ndcg@1", decision="gain")
    assert found.value == pytest.approx(np.mean(lists))


def test_comparisons_pair_the_best_decisions_and_say_what_rounding_explains(report):
    rows = report.compare("skewed", "three", metrics=["mae"]).rows
    pairs = [(row["decision"], row["decision_b"]) for row in rows]
    assert pairs == [("median", "mean"), ("mean", "mean"), ("median", "rounded")]
    first = rows[0]
    a = report.interval("skewed", "new_user", "mae", decision="median")
    b = report.interval("three", "new_user", "mae", decision="mean")
    assert first["difference"] == pytest.approx(a.value - b.value)
    assert "mae (median - mean)" in repr(report.compare("skewed", "three"))


def test_tables_mark_distributions(report):
    text = repr(report)
    assert "skewed*" in text and "three*" not in text and "* a distribution" in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mean", [3.4, 1.5]),
        ("median", [4, 1]),
        ("mode", [5, 1]),
        ("gain", [0.2 * 1 + 0.15 * 3 + 0.1 * 7 + 0.15 * 15 + 0.4 * 31, 2.0]),
        ("confidence", [0.4, 0.5]),
        ("negative_log", [-np.log(0.1), -np.log(2.0**-52)]),
    ],
)
def test_what_is_read_off(value, expected):
    table = np.array([SKEWED, [0.5, 0.5, 0, 0, 0]])
    found = _metarec.distribution(table, LEVELS, np.array([3.0, 5.0]), [value], 0)
    np.testing.assert_allclose(found, [expected], rtol=1e-12)


def test_the_transform_lies_in_the_targets_share_and_is_uniform_when_calibrated():
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.ones(5), 40_000)
    y = 1.0 + (rng.random(len(table))[:, None] > np.cumsum(table, axis=1)).sum(axis=1).clip(0, 4)
    (u,) = _metarec.distribution(table, LEVELS, y, ["transform"], 7)
    below = np.take_along_axis(np.cumsum(table, axis=1) - table, y.astype(int)[:, None] - 1, 1)
    share = np.take_along_axis(table, y.astype(int)[:, None] - 1, 1)
    assert ((u >= below[:, 0]) & (u <= (below + share)[:, 0] + 1e-12)).all()
    # Four standard errors of the share of a tenth.
    np.testing.assert_allclose(np.histogram(u, 10, (0, 1))[0] / len(u), 0.1, atol=0.006)
    (again,) = _metarec.distribution(table, LEVELS, y, ["transform"], 7)
    (other,) = _metarec.distribution(table, LEVELS, y, ["transform"], 8)
    assert (u == again).all() and (u != other).mean() > 0.99


class Calibrated:
    """The exact posterior of the stars, of which it sees a noisy observation; or a sharper one."""

    levels_ = LEVELS

    def __init__(self, data, sharpness=1.0, seed=0):
        self.answers, self.sharpness, self.seed = Answers(data), sharpness, seed

    def predict(self, tasks, decision="mean"):
        y = self.answers.of(tasks).astype(int) - 1
        rng = np.random.default_rng(self.seed)
        prior = np.bincount(y, minlength=5) / len(y)
        seen = y + rng.normal(0, 1, len(y))
        logits = np.log(prior) - (seen[:, None] - np.arange(5)) ** 2 / 2
        weights = np.exp(self.sharpness * (logits - logits.max(axis=1, keepdims=True)))
        return weights / weights.sum(axis=1, keepdims=True)


def test_coverage_and_calibration_of_a_calibrated_model(splits):
    models = {
        "right": Calibrated(splits.data),
        "too sure": Calibrated(splits.data, sharpness=3),
    }
    options = {**OPTIONS, "draws": 10}
    report = evaluate(models, splits, metrics=["nll", "coverage90"], floors=False, **options)
    right, sure = (report.interval(name, "new_user", "coverage90").value for name in models)
    assert 0.88 <= right <= 0.92 and sure < 0.85
    assert (
        report.interval("right", "new_user", "nll").value
        < report.interval("too sure", "new_user", "nll").value
    )
    good, bad = (report.calibration(name) for name in models)
    assert good.ece < 0.04 < 0.1 < bad.ece
    np.testing.assert_allclose(good.transform, 0.1, atol=0.03)
    assert bad.transform[0] + bad.transform[-1] > 0.3
    for row in bad.rows:
        assert row["low"] <= row["confidence"] <= row["high"]
    assert all(row["better"] == "" for row in report.compare(metrics=["coverage90"]).rows)


def test_calibration_by_hand(splits, report, targets):
    found = report.calibration()
    (row,) = found.rows
    assert (row["low"], row["high"], row["confidence"]) == (0.4, 0.5, pytest.approx(0.4))
    hits = np.mean(np.concatenate(targets) == 5)
    assert row["frequency"] == pytest.approx(hits) and row["rows"] == sum(map(len, targets))
    assert found.ece == pytest.approx(abs(hits - 0.4))
    assert sum(found.transform) == pytest.approx(1)
    assert list(found.to_frame("dict")["rows"]) == [row["rows"]] and "ECE" in repr(found)
    with pytest.raises(InvalidValueError, match=r"three.*skewed"):
        report.calibration("three")


class Wrong:
    levels_ = LEVELS

    def __init__(self, table, levels=LEVELS):
        self.table, self.levels_ = table, levels

    def predict(self, tasks, decision="mean"):
        table = np.asarray(self.table, float)
        return np.tile(table, (tasks.query_rows, 1)) if table.ndim == 1 else table


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (
            Wrong([0.5, 0.1, 0.1, 0.1, 0.05]),
            NumericalError,
            "Wrong on new_user: .*row 0 sums to 0.8",
        ),
        (Wrong([1.5, -0.5, 0, 0, 0]), NumericalError, "row 0, level 1 is -0.5"),
        (Wrong([np.nan, 1, 0, 0, 0]), NumericalError, "row 0, level 0 is nan"),
        (Wrong([0.5, 0.5]), InvalidValueError, "probability per query row and level"),
        (Wrong(SKEWED, [1.0, 2, 3, 4, 4]), InvalidValueError, "ascending"),
        (Wrong(SKEWED, [2.0, 3, 4, 5, 6]), InvalidValueError, "whole scale, 1 to 5"),
        (Wrong(SKEWED, "stars"), InvalidTypeError, "levels_ must be numbers"),
        (Wrong(SKEWED, [1.0, 2, 3, 3.5, 5]), InvalidValueError, "none of the 5 levels"),
    ],
)
def test_distributions_that_cannot_be(splits, model, error, words):
    with pytest.raises(error, match=words):
        evaluate(model, splits, floors=False, **OPTIONS)
