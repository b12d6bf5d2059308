"""The two functions of the tutorials do the whole job."""

import numpy as np
import pytest
from learners import random_tasks

import metarec as mr
from metarec.errors import InvalidTypeError, InvalidValueError, StateError


def user(random, rows=20, noise=0.0):
    """A user who weighs two of three features in a way of their own, far from scale."""
    features = random.normal(size=(rows, 3)) * [1, 1000, 0.001] + [5, -2000, 0]
    weights = random.normal(size=3) * [1, 0.001, 0]
    return features, (features - [5, -2000, 0]) @ weights


@pytest.fixture(scope="module")
def model():
    random = np.random.default_rng(0)
    return mr.meta_learning([user(random, rows) for rows in random.integers(8, 30, 60)])


def test_a_new_user_is_learned_from_few_rows(model):
    random = np.random.default_rng(1)
    errors = []
    for _ in range(30):
        features, labels = user(random, 40)
        ann = model.adapt(features[:20], labels[:20])
        before, after = model(features[20:]), ann(features[20:])
        errors.append([((p - labels[20:]) ** 2).mean() for p in (before, after)])
    before, after = np.mean(errors, axis=0)
    assert after < 0.5 * before


def test_scores_are_one_a_row_whatever_the_other_rows(model):
    random = np.random.default_rng(2)
    features, labels = user(random)
    ann = model.adapt(features, labels)
    for scorer in (model, ann, model.adapt(features.tolist(), labels.tolist())):
        scores = scorer(features)
        assert scores.shape == (20,)
        np.testing.assert_allclose(scorer(features[3:5]), scores[3:5], rtol=1e-12)
        assert scorer(features[:0]).shape == (0,)
    nothing = model.adapt(np.empty((0, 3)), [])
    np.testing.assert_array_equal(nothing(features), model(features))
    assert "MetaLearner" in repr(model) and "MetaLearner" in repr(ann)


def test_same_seed_same_bits():
    random = np.random.default_rng(3)
    tasks = [user(random) for _ in range(5)]
    one, same, other = (mr.meta_learning(tasks, seed=seed)(tasks[0][0]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    generated = mr.meta_learning((task for task in tasks), seed=1)(tasks[0][0])
    np.testing.assert_array_equal(one, generated)


def test_labels_of_zero_and_one_are_learned_as_probabilities():
    random = np.random.default_rng(4)
    tasks = [(f, (y > 0).astype(int)) for f, y in (user(random) for _ in range(40))]
    model = mr.meta_learning(tasks)
    features, labels = tasks[0]
    scores = model.adapt(features, labels)(features)
    assert (scores > 0).all() and (scores < 1).all()
    assert scores[labels == 1].mean() > scores[labels == 0].mean() + 0.1
    with pytest.raises(InvalidValueError, match="logistic"):
        model.adapt(features, labels * 5)


@pytest.mark.parametrize("form", [lambda f: (f, None), lambda f: f])
def test_features_without_labels_are_positive_feedback(form):
    # Everybody likes what lies in a direction of their own.
    random = np.random.default_rng(5)

    def liked():
        return random.normal(size=(15, 2)) + 3 * np.eye(2)[random.integers(2)] - 1.5

    tasks = [form(liked()) for _ in range(60)]
    model = mr.meta_learning(tasks)
    candidates = np.array([[1.5, -1.5], [-1.5, 1.5]])
    for best in (0, 1):
        history = form(np.repeat(candidates[best][None], 5, 0))
        order = mr.meta_learning_recommendation(history, candidates, model=model)
        assert order.tolist() == [best, 1 - best]
        order = mr.meta_learning_recommendation([*tasks, history], candidates)
        assert order.tolist() == [best, 1 - best]


def test_positive_feedback_to_a_model_of_ratings_means_the_best_rating(model):
    random = np.random.default_rng(6)
    ratings = [(f, np.digitize(y, [-1, -0.3, 0.3, 1]) + 1) for f, y in (user(random),) * 3]
    model = mr.meta_learning(ratings)
    features = ratings[0][0]
    np.testing.assert_array_equal(
        model.adapt(features[:4])(features), model.adapt(features[:4], [5] * 4)(features)
    )


def test_recommendation_ranks_by_score_and_keeps_ties(model):
    random = np.random.default_rng(7)
    features, labels = user(random)
    candidates = np.repeat(features[:3], 2, 0)
    order = mr.meta_learning_recommendation((features, labels), candidates, model=model)
    scores = model.adapt(features, labels)(candidates)
    assert order.tolist() == sorted(range(6), key=lambda row: (-scores[row], row))
    assert order.dtype == np.intp


# --- task sets ------------------------------------------------------------------------------------


def test_a_task_set_of_vectors_is_called_with_vectors():
    tasks = random_tasks(item_fields=("", "", "text"), user_fields=None)
    model = mr.meta_learning(tasks)
    assert isinstance(model, mr.MetaModel)
    vectors = tasks.items["text"].vectors
    np.testing.assert_array_equal(model(vectors), model(tasks.items))
    prior = model.learner.adapt().predict(range(12))
    np.testing.assert_allclose(model(vectors), prior, rtol=1e-12)
    ann = model.learner.adapt([1, 2], [0.5, -1])
    np.testing.assert_allclose(
        model.adapt(vectors[[1, 2]], [0.5, -1])(vectors), ann.predict(range(12)), rtol=1e-12
    )


def test_a_task_set_of_fields_is_called_with_a_table():
    tasks = random_tasks()
    model = mr.meta_learning(tasks, seed=3)
    prior = model.learner.adapt().predict(range(12))
    np.testing.assert_allclose(model(tasks.items), prior, rtol=1e-12)
    ann = model.adapt(tasks.items.take([1, 2]), [0.5, -1])
    wanted = model.learner.adapt([1, 2], [0.5, -1]).predict(range(12))
    np.testing.assert_allclose(ann(tasks.items), wanted, rtol=1e-12)
    order = mr.meta_learning_recommendation(
        (tasks.items.take([1, 2]), [0.5, -1]), tasks.items, model=model
    )
    assert order.tolist() == np.argsort(-wanted, kind="stable").tolist()
    with pytest.raises(InvalidTypeError, match=r"features: .*\['genre', 'tags', 'text'\]"):
        model(np.zeros((2, 3)))
    other = mr.FeatureTable({"height": mr.Dense(np.zeros((1, 1)))})
    with pytest.raises(InvalidValueError):
        model(other)


def test_a_trained_learner_ends_its_adapted_models():
    tasks = random_tasks()
    model = mr.meta_learning(tasks)
    ann = model.adapt(tasks.items, np.zeros(12))
    model.learner.partial_fit(tasks)
    with pytest.raises(StateError, match="adapt again"):
        ann(tasks.items)
    assert model(tasks.items).shape == (12,)


# --- what is refused ------------------------------------------------------------------------------

GOOD = (np.zeros((2, 3)), [1.0, 2.0])


@pytest.mark.parametrize(
    ("tasks", "error", "message"),
    [
        (3, InvalidTypeError, "tasks: expected TaskSet or an iterable"),
        ([], InvalidValueError, "tasks: expected at least two"),
        ([GOOD], InvalidValueError, "tasks: expected at least two"),
        ([GOOD, "ab"], InvalidTypeError, r"tasks\[1\]: expected \(features, labels\)"),
        ([GOOD, (1, 2, 3)], InvalidTypeError, r"tasks\[1\]"),
        ([GOOD, (np.zeros(3), [1, 2, 3])], InvalidValueError, r"tasks\[1\] features: .*\[3\]"),
        ([GOOD, (np.zeros((2, 4)), [1, 2])], InvalidValueError, r"tasks\[1\] features: 4 columns"),
        ([GOOD, (np.zeros((0, 3)), [])], InvalidValueError, r"tasks\[1\] features: .*one row"),
        ([GOOD, ([["a"]], [1])], InvalidTypeError, r"tasks\[1\] features"),
        ([GOOD, ([[1, 2], [3]], [1, 2])], InvalidTypeError, r"tasks\[1\] features"),
        ([GOOD, ([[1, 2, np.nan]], [1])], InvalidValueError, r"tasks\[1\] features: .*NaN"),
        ([GOOD, (np.zeros((2, 3)), [1])], InvalidValueError, r"tasks\[1\] labels: .*\[1\]"),
        ([GOOD, (np.zeros((1, 3)), [np.inf])], InvalidValueError, r"tasks\[1\] labels: .*inf"),
        ([GOOD, (np.zeros((1, 3)), ["a"])], InvalidTypeError, r"tasks\[1\] labels"),
        ([GOOD, (np.zeros((1, 3)), None)], InvalidValueError, r"tasks\[1\] labels: None"),
        ([(np.zeros((1, 3)), None)], InvalidValueError, "tasks: expected at least two"),
    ],
)
def test_a_wrong_task_is_named(tasks, error, message):
    with pytest.raises(error, match=message):
        mr.meta_learning(tasks)


@pytest.mark.parametrize(
    ("history", "model_given", "error", "message"),
    [
        (GOOD, False, InvalidTypeError, "user_history: without model, expected a list"),
        ([], False, InvalidTypeError, "user_history: without model"),
        ([GOOD], True, InvalidTypeError, r"user_history: expected \(features, labels\)"),
        ((1, 2, 3), True, InvalidTypeError, "user_history: expected .* tuple of 3"),
        ((np.zeros((2, 4)), [1, 2]), True, InvalidValueError, r"features: expected \[n, 3\]"),
        ((np.zeros((2, 3)), [1]), True, InvalidValueError, "labels: expected 2"),
    ],
)
def test_a_wrong_history_is_named(history, model_given, error, message, model):
    with pytest.raises(error, match=message):
        mr.meta_learning_recommendation(
            history, np.zeros((2, 3)), model=model if model_given else None
        )


def test_a_model_of_another_kind_is_refused(model):
    with pytest.raises(InvalidTypeError, match="model: expected MetaModel, got MetaLearner"):
        mr.meta_learning_recommendation(GOOD, np.zeros((2, 3)), model=model.learner)
    with pytest.raises(InvalidValueError, match=r"features: expected \[n, 3\]"):
        mr.meta_learning_recommendation(GOOD, np.zeros((2, 2)), model=model)
