"""Softmax and BPR against NumPy, through inner loops."""

import numpy as np
import pytest

import metarec as mr
from metarec.errors import InvalidValueError

NAMES = ("softmax", "bpr")


def tasks_of(seed, sizes=((6, 4), (0, 3), (2, 5), (9, 1))):
    """Clicks of several weights and negatives, on items of three numbers each."""
    random = np.random.default_rng(seed)
    items = mr.FeatureTable({"x": mr.Dense(random.normal(size=(12, 3)))})
    rows = sum(map(sum, sizes))
    targets = random.choice([0.0, 0.0, 1.0, 2.5], rows)
    targets[6:8] = [1, 0]
    return mr.TaskSet(
        np.cumsum([0, *map(sum, sizes)]),
        np.array([support for support, _ in sizes]),
        random.integers(12, size=rows).astype(np.int32),
        targets,
        items=items,
    )


def learner_of(name, algorithm, tasks):
    model = mr.MetaLearner(
        backbone=mr.FeatureMLP(hidden=()), algorithm=algorithm, loss=name, dtype="float64"
    ).initialize(tasks)
    random = np.random.default_rng(5)
    for view in model.parameters().values():
        view[...] = random.normal(size=view.shape) / 2
    return model


def loss(name, o, y):
    """The sum over the clicks, by loops."""
    total = 0.0
    others = o[y == 0]
    for score, weight in zip(o[y > 0], y[y > 0], strict=True):
        if name == "softmax":
            total += weight * -np.log(np.exp(score) / (np.exp(score) + np.exp(others).sum()))
        elif len(others):
            total += weight * np.mean(
                [-np.log(1 / (1 + np.exp(other - score))) for other in others]
            )
    return total


def differences(function, o, step=1e-5):
    """The gradient of a function of scores, a number or an array."""
    return np.array(
        [(function(o + step * e) - function(o - step * e)) / (2 * step) for e in np.eye(len(o))]
    )


def parts(tasks):
    for start, count, end in zip(
        tasks.offsets, tasks.support_counts, tasks.offsets[1:], strict=False
    ):
        x = np.column_stack(
            [tasks.items["x"].vectors[tasks.item_index], np.ones(tasks.offsets[-1])]
        )
        support, query = slice(start, start + count), slice(start + count, end)
        yield x[support], tasks.targets[support], x[query], tasks.targets[query]


def head(model):
    parameters = model.parameters()
    return np.append(parameters["head.weight"].ravel(), parameters["head.bias"])


@pytest.mark.parametrize("name", NAMES)
def test_gradient_descent_is_numpys(name):
    tasks = tasks_of(0)
    model = learner_of(name, mr.MAML(inner_lr=0.4, inner_steps=2, adapt="head"), tasks)
    expected, losses = [], []
    for x, y, asked, answers in parts(tasks):
        w = head(model)
        for _ in range(2 if len(y) else 0):
            w = w - 0.4 * x.T @ differences(lambda o, y=y: loss(name, o, y), x @ w) / len(y)
        expected.append(asked @ w)
        losses.append(loss(name, asked @ w, answers) / len(answers))
    np.testing.assert_allclose(model.predict(tasks), np.concatenate(expected), rtol=1e-8)
    assert model.meta_gradient(tasks)[0] == pytest.approx(np.mean(losses), rel=1e-8)


@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("name", NAMES)
def test_ridge_is_newtons_step(name, form):
    tasks = tasks_of(1)
    model = learner_of(name, mr.Ridge(form=form), tasks)
    penalty = 2 * np.exp(model.parameters()["ridge.log_precision"].ravel())
    expected = []
    for x, y, asked, _ in parts(tasks):
        w = head(model)
        if len(y):

            def slope(o, y=y):
                return differences(lambda o: loss(name, o, y), o, 1e-4)

            hessian = differences(slope, x @ w, 1e-3)
            w = w - np.linalg.solve(x.T @ hessian @ x + np.diag(penalty), x.T @ slope(x @ w))
        expected.append(asked @ w)
    np.testing.assert_allclose(model.predict(tasks), np.concatenate(expected), atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_of_two_is_the_click_twice(name):
    items = mr.FeatureTable({"x": mr.Dense(np.random.default_rng(0).normal(size=(4, 3)))})
    index = np.array([0, 0, 1, 2, 0, 1, 2], np.int32)

    def loss_of(rows, targets):
        tasks = mr.TaskSet(
            np.array([0, len(rows)]), np.array([0]), index[rows], np.array(targets), items=items
        )
        model = learner_of(name, "maml", tasks)
        return len(rows) * model.meta_gradient(tasks)[0]

    assert loss_of([0, 1, 2, 3], [1.0, 1, 0, 0]) == pytest.approx(loss_of([4, 5, 6], [2.0, 0, 0]))


def test_a_regression_of_the_targets_does_not_take_them():
    """`BayesianLinear` would give clicks the log-odds 1, whatever it learned."""
    for name in (*NAMES, "logistic"):
        with pytest.raises(InvalidValueError, match=f'loss: "{name}", wanted one of outputs'):
            learner_of(name, mr.BayesianLinear(), tasks_of(0))
