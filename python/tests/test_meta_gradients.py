"""Meta-gradients are those of the meta-loss, by finite differences on fresh random cases."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from learners import ITEM_FIELDS, USER_FIELDS, random_tasks

import metarec as mr

STEPS = (1e-4, 1e-5, 1e-6, 1e-7)


def agree(loss_at, exact, tolerance=1e-5):
    """Whether a central difference comes near `exact`; a smaller step evades a ReLU's kink."""
    found = [(loss_at(h) - loss_at(-h)) / (2 * h) for h in STEPS]
    return any(abs(f - exact) <= tolerance * max(1, abs(exact)) for f in found), found


def some(names, random):
    """At least one of the fields, the others left out."""
    kept = random.random(len(names)) < 0.6
    kept[random.integers(len(names))] = True
    return tuple(name if keep else "" for name, keep in zip(names, kept, strict=True))


def algorithm_of(name, **options):
    kind, _, adapt = name.partition(" ")
    return getattr(mr, kind)(**options, **({"adapt": adapt} if adapt else {}))


EXACT = ("MAML decision", "MAML head", "MAML all", "ANIL", "MetaSGD decision", "MetaSGD all")


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    hidden=st.lists(st.integers(1, 6), max_size=3),
    inner_steps=st.integers(0, 4),
    binary=st.booleans(),
    with_users=st.booleans(),
)
def test_exact_gradients_are_finite_differences(
    name, seed, hidden, inner_steps, binary, with_users
):
    random = np.random.default_rng(seed)
    tasks = random_tasks(
        seed,
        tasks=4,
        item_fields=some(ITEM_FIELDS, random),
        user_fields=some(USER_FIELDS, random) if with_users else None,
        binary=binary,
    )
    learner = mr.MetaLearner(
        backbone=mr.FeatureMLP(embedding_dim=int(random.integers(1, 4)), hidden=hidden),
        algorithm=algorithm_of(name, inner_lr=0.1, inner_steps=inner_steps, order=2),
        loss="logistic" if binary else "squared_error",
        dtype="float64",
    ).initialize(tasks)
    views = learner.parameters()
    for parameter, view in views.items():  # away from zero biases, which make kinks
        scale = 0.02 if parameter.startswith("step_size") else 0.3
        view += random.normal(size=view.shape) * scale
    loss, gradients = learner.meta_gradient(tasks)
    assume(loss < 100)  # else differences of losses have too few digits left
    assert gradients.keys() == views.keys()
    for parameter, view in views.items():
        start = view.copy()
        direction = random.normal(size=view.shape)

        def loss_at(step, view=view, start=start, direction=direction):
            view[...] = start + step * direction
            return learner.meta_gradient(tasks)[0]

        exact = float((gradients[parameter] * direction).sum())
        close, found = agree(loss_at, exact)
        view[...] = start
        assert close, f"{parameter}: {exact}, by differences {found}"


@pytest.mark.parametrize("inner_steps", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_first_order_gradients_are_the_query_gradients_where_each_task_ends(seed, inner_steps):
    tasks = random_tasks(seed)

    def learner_of(steps):
        algorithm = mr.MAML(inner_lr=0.1, inner_steps=steps, order=1, adapt="decision")
        backbone = mr.FeatureMLP(embedding_dim=2, hidden=(4, 3))
        return mr.MetaLearner(backbone=backbone, algorithm=algorithm, dtype="float64", seed=seed)

    first_order = learner_of(inner_steps).initialize(tasks)
    plain = learner_of(0).initialize(tasks)
    adapted = first_order.adapted_parameters(tasks)
    _, gradients = first_order.meta_gradient(tasks)
    expected = {name: np.zeros_like(value) for name, value in gradients.items()}
    for task in range(len(tasks)):
        for name, values in adapted.items():
            plain.parameters()[name][...] = values[task]
        for name, gradient in plain.meta_gradient(tasks.take([task]))[1].items():
            expected[name] += gradient / len(tasks)
    for name, value in adapted.items():
        assert (value != first_order.parameters()[name]).any()
        np.testing.assert_allclose(gradients[name], expected[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("adapt", ["decision", "all"])
def test_reptile_points_from_where_tasks_end(adapt):
    tasks = random_tasks()
    learner = mr.MetaLearner(
        backbone=mr.FeatureMLP(embedding_dim=2, hidden=(4,)),
        algorithm=mr.Reptile(inner_lr=0.05, inner_steps=3, adapt=adapt),
        dtype="float64",
    ).initialize(tasks)
    with_support = tasks.take(np.flatnonzero(tasks.support_counts))
    _, gradients = learner.meta_gradient(with_support)
    for name, ends in learner.adapted_parameters(with_support).items():
        expected = (learner.parameters()[name] - ends.mean(0)) / 0.05
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-9, atol=1e-11)


def test_support_losses_fall_along_the_inner_loop_by_plain_gradient_descent():
    # A linear model of one dense field: everything is known in closed form.
    random = np.random.default_rng(0)
    x, y, query = random.normal(size=(6, 2)), random.normal(size=6), random.normal(size=(1, 2))
    tasks = mr.TaskSet(
        np.array([0, 7]), np.array([6]), np.arange(7, dtype=np.int32), np.append(y, 0.5),
        items=mr.FeatureTable({"x": mr.Dense(np.concatenate([x, query]))}),
    )  # fmt: skip
    learner = mr.MetaLearner(
        backbone=mr.FeatureMLP(hidden=()),
        algorithm=mr.MAML(inner_lr=0.05, inner_steps=4),
        dtype="float64",
    ).initialize(tasks)
    w, b = learner.parameters()["head.weight"][:, 0].copy(), learner.parameters()["head.bias"][0]
    losses = []
    for _ in range(5):
        residual = x @ w + b - y
        losses.append((residual**2).mean())
        last = w, b
        w, b = w - 0.05 * 2 * x.T @ residual / 6, b - 0.05 * 2 * residual.mean()
    np.testing.assert_allclose(learner.support_losses(tasks)[0], losses, rtol=1e-12)
    np.testing.assert_allclose(learner.predict(tasks), query @ last[0] + last[1], rtol=1e-12)
