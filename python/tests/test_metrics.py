"""Metrics against scikit-learn and by hand."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarec.errors import InvalidTypeError, InvalidValueError, NumericalError
from metarec.evaluation import metrics as of
from metarec.evaluation.answer import Answer, checked_predictions
from metarec.evaluation.metrics import DEFAULT_METRICS, Metric, Scale, resolve

STARS = Scale(1.0, 5.0)


@pytest.fixture
def ragged():
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 15, 60)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    targets = rng.integers(1, 6, offsets[-1]).astype(float)
    predictions = np.round(rng.uniform(1, 5, offsets[-1]), 1)  # one decimal: with ties
    return predictions, targets, offsets


def score(predictions, targets, offsets, metrics, scale, relevant):
    answer = Answer.predicted(predictions, scale)
    return of.score(answer, targets, offsets, metrics, scale, relevant)


def one(name, predictions, targets, offsets, *, scale=STARS, relevant=4.0):
    metric = [Metric.named(name)]
    numerators, denominators = score(predictions, targets, offsets, metric, scale, relevant)
    return numerators[0], denominators[0]


def pooled(name, *ragged, **options):
    numerators, denominators = one(name, *ragged, **options)
    return numerators.sum() / denominators.sum()


def per_task(oracle, predictions, targets, offsets):
    return [oracle(targets[a:b], predictions[a:b]) for a, b in pairwise(offsets)]


class TestAgainstScikitLearn:
    sk = pytest.importorskip("sklearn.metrics")

    def test_errors_are_pooled_over_rows(self, ragged):
        predictions, targets, _ = ragged
        assert pooled("mae", *ragged) == pytest.approx(
            self.sk.mean_absolute_error(targets, predictions)
        )
        assert pooled("rmse", *ragged) == pytest.approx(
            self.sk.mean_squared_error(targets, predictions)
        )
        stars = self.sk.accuracy_score(targets, np.floor(predictions + 0.5))
        assert pooled("accuracy", *ragged) == pytest.approx(stars)

    def test_rmse_user_is_the_mean_of_roots(self, ragged):
        roots = per_task(self.sk.root_mean_squared_error, *ragged)
        assert pooled("rmse_user", *ragged) == pytest.approx(np.mean(roots))

    @pytest.mark.parametrize("k", [1, 3, 5, 10])
    @pytest.mark.parametrize("name", ["ndcg", "ndcg_linear"])
    def test_ndcg_with_ties(self, ragged, name, k):
        def oracle(y, p):
            gain = 2**y - 1 if name == "ndcg" else y
            # scikit-learn refuses a single document, whose nDCG is 1.
            return self.sk.ndcg_score([gain], [p], k=k) if len(y) > 1 else 1.0

        numerators, denominators = one(f"{name}@{k}", *ragged)
        np.testing.assert_allclose(numerators, per_task(oracle, *ragged), rtol=1e-12)
        assert (denominators == 1).all()

    def test_auc_with_ties(self, ragged):
        def oracle(y, p):
            classes = y >= 4
            return self.sk.roc_auc_score(classes, p) if classes.any() and not classes.all() else 0.0

        numerators, denominators = one("auc", *ragged)
        np.testing.assert_allclose(numerators, per_task(oracle, *ragged), rtol=1e-12)
        _, targets, offsets = ragged
        left_out = per_task(lambda y, _: len(set(y >= 4)) == 1, targets, targets, offsets)
        np.testing.assert_array_equal(denominators == 0, left_out)
        assert 0 < sum(left_out) < len(left_out)

    def test_average_precision_without_ties(self, ragged):
        _, targets, offsets = ragged
        predictions = np.random.default_rng(0).permutation(len(targets)) / len(targets) * 4 + 1

        def oracle(y, p):
            return self.sk.average_precision_score(y >= 4, p) if (y >= 4).any() else 0.0

        numerators, _ = one("map", predictions, targets, offsets)
        expected = per_task(oracle, predictions, targets, offsets)
        np.testing.assert_allclose(numerators, expected, rtol=1e-12)

    def test_log_loss(self):
        rng = np.random.default_rng(1)
        targets = rng.integers(0, 2, 50).astype(float)
        predictions = np.append(rng.uniform(0, 1, 48), [0.0, 1.0])
        offsets = np.array([0, 20, 50])
        scale = Scale(0.0, 1.0)
        value = pooled("logloss", predictions, targets, offsets, scale=scale)
        assert value == pytest.approx(self.sk.log_loss(targets, predictions))

    def test_precision_recall_f1_at_k(self, ragged):
        _, targets, offsets = ragged
        predictions = np.random.default_rng(0).permutation(len(targets)) / len(targets) * 4 + 1

        def oracle(metric):
            def value(y, p):
                relevant = y >= 4
                shown = np.zeros(len(y), bool)
                shown[np.argsort(-p)[:3]] = True
                return metric(relevant, shown) if relevant.any() and len(y) >= 3 else np.nan

            return np.array(per_task(value, predictions, targets, offsets))

        for name, metric in (
            ("precision@3", self.sk.precision_score),
            ("recall@3", self.sk.recall_score),
            ("f1@3", self.sk.f1_score),
        ):
            expected = oracle(metric)
            known = ~np.isnan(expected)
            numerators, _ = one(name, predictions, targets, offsets)
            np.testing.assert_allclose(numerators[known], expected[known], rtol=1e-12)


@pytest.fixture(scope="module")
def measures():
    return pytest.importorskip("ir_measures")


class TestAgainstIrMeasures:
    """trec_eval breaks ties by name: of tied rows, all orders are averaged."""

    @staticmethod
    def value(measures, measure, targets, order):
        """The measure of rows in an order, by trec_eval."""
        rows = {f"row{at}": int(target) for at, target in enumerate(targets)}
        run = {f"row{at}": float(len(order) - place) for place, at in enumerate(order)}
        return measures.calc_aggregate([measure], {"task": rows}, {"task": run})[measure]

    def expectation(self, measures, measure, predictions, targets):
        orders = [
            order
            for order in permutations(range(len(targets)))
            if all(predictions[a] >= predictions[b] for a, b in pairwise(order))
        ]
        return np.mean([self.value(measures, measure, targets, order) for order in orders])

    @pytest.mark.parametrize("ties", [False, True])
    @pytest.mark.parametrize(
        ("name", "measure"),
        [
            ("precision@3", "P(rel=4)@3"),
            ("recall@3", "R(rel=4)@3"),
            ("hr@2", "Success(rel=4)@2"),
            ("mrr", "RR(rel=4)"),
            ("map", "AP(rel=4)"),
            ("ndcg_linear@3", "nDCG@3"),
        ],
    )
    def test_rankings(self, measures, name, measure, ties):
        measure = measures.parse_measure(measure)
        rng = np.random.default_rng(5)
        for rows in (3, 4, 5, 5):
            targets = rng.integers(1, 6, rows).astype(float)
            targets[0] = 5
            predictions = rng.permutation(rows).astype(float) / 2 + 1
            if ties:
                predictions = np.round(predictions / 1.5)
            expected = self.expectation(measures, measure, predictions, targets)
            assert pooled(name, predictions, targets, np.array([0, rows])) == pytest.approx(
                expected
            )

    def test_exponential_gain(self, measures):
        """With the gain as the rating."""
        measure = measures.parse_measure("nDCG@3")
        targets, predictions = np.array([5.0, 1, 3, 4]), np.array([2.0, 4, 3, 3])
        expected = self.expectation(measures, measure, predictions, 2**targets - 1)
        assert pooled("ndcg@3", predictions, targets, np.array([0, 4])) == pytest.approx(expected)


def test_predictions_are_clipped_to_the_scale():
    assert pooled("mae", np.array([9.0, -3.0]), np.array([5.0, 2.0]), np.array([0, 2])) == 0.5


def test_rounded_scores_the_nearest_star():
    metrics = resolve(["mae", "accuracy"], STARS)
    assert [(m.name, m.decision) for m in metrics] == [
        ("mae", "mean"),
        ("mae", "rounded"),
        ("accuracy", "rounded"),
    ]
    arrays = np.array([3.4, 4.4]), np.array([3.0, 5.0]), np.array([0, 2])
    numerators, _ = score(*arrays, metrics, STARS, 4.0)
    np.testing.assert_allclose(numerators[:, 0], [1.0, 1.0, 1.0])


def test_half_stars_are_stars():
    scale = Scale.of(np.array([0.5, 1.0, 3.5, 5.0], np.float32), 0.5, 5.0)
    assert scale == Scale(0.5, 5.0, 0.5)
    arrays = np.array([3.4, 4.2]), np.array([3.5, 4.5]), np.array([0, 2])
    metrics = resolve(["accuracy", "mae"], scale)
    numerators, denominators = score(*arrays, metrics, scale, 4.0)
    np.testing.assert_allclose((numerators / denominators)[:, 0], [0.5, 0.2, 0.25])


def test_continuous_ratings_have_no_stars():
    scale = Scale.of(np.array([0.13, 1.0, 2.71], np.float32), 0.0, 3.0)
    assert scale.step is None
    assert [m.decision for m in resolve(["mae", "accuracy"], scale)] == ["mean"]


def test_logloss_joins_where_ratings_are_binary():
    names = {metric.name for metric in resolve(None, Scale(0.0, 1.0))}
    assert names == {*DEFAULT_METRICS, "logloss"}
    with pytest.raises(InvalidValueError, match="logloss"):
        resolve(["logloss"], STARS)


@pytest.mark.parametrize("name", ["mean", "mae@3", "ndcg@0", "ndcg@", "ndcg@-1", "hr@two"])
def test_unknown_names_are_refused(name):
    with pytest.raises(InvalidValueError, match=name):
        Metric.named(name)


def test_predictions_are_checked():
    assert checked_predictions([1, 2], 2, "Model").dtype == np.float64
    with pytest.raises(InvalidValueError, match=r"Model.*\(2, 1\).*\(2,\)"):
        checked_predictions(np.ones((2, 1)), 2, "Model")
    with pytest.raises(NumericalError, match="Model: prediction 1 is nan"):
        checked_predictions([1.0, np.nan], 2, "Model")
    with pytest.raises(InvalidTypeError, match="Model"):
        checked_predictions(["a", "b"], 2, "Model")


rows = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=12)
ranked = [Metric.named(name) for name in DEFAULT_METRICS if "@" in name or name in ("auc", "mrr")]


@given(rows, st.randoms())
def test_rankings_depend_on_the_order_of_scores_alone(rows, random):
    predictions, targets = np.array(rows, float).T
    offsets = np.array([0, len(rows)])
    before = score(predictions, targets, offsets, ranked, STARS, 4.0)[0]
    shuffled = random.sample(range(len(rows)), len(rows))
    stretched = 1 + predictions**2 / 10
    after = score(stretched[shuffled], targets[shuffled], offsets, ranked, STARS, 4.0)[0]
    np.testing.assert_allclose(before, after, rtol=1e-12)
    assert (before >= 0).all() and (before <= 1 + 1e-12).all()
