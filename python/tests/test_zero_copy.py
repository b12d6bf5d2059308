"""Arrays cross the boundary without a copy, and nobody reads memory that is gone."""

import gc
import sys
from collections.abc import Callable

import numpy as np
import pytest
from native_objects import (
    int32,
    int64,
    make_items,
    make_learner,
    make_tasks,
    rated,
    task_arrays,
    trainable,
)

from metarec import _metarec as native


def same_after_change(array: np.ndarray, change: Callable[[], native.Tasks]) -> None:
    """What is computed follows `array` as it is now: as from tasks made anew after the change."""
    tasks = change()
    learner = make_learner(tasks)
    before = learner.meta_gradient(tasks)[0]
    array += 1
    after = learner.meta_gradient(tasks)[0]
    assert after != before
    assert after == learner.meta_gradient(change())[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_targets_are_read_where_they_are(dtype: type) -> None:
    targets = task_arrays()["targets"].astype(dtype)
    same_after_change(targets, lambda: trainable(make_tasks(targets=targets)))


def test_dense_vectors_are_read_where_they_are() -> None:
    vectors = np.linspace(-1.0, 1.0, 8).reshape(4, 2)
    same_after_change(vectors, lambda: trainable(make_tasks(items=make_items(vectors=vectors))))


def test_what_is_kept_of_items_follows_their_features() -> None:
    vectors = np.linspace(-1.0, 1.0, 8).reshape(4, 2)
    ids, bags, starts = int32(0, 1, 2, -1), int32(0, 4, 1, 2, -1), int64(0, 2, 2, 4, 5)

    def items() -> native.Features:
        return make_items(ids=ids, bag_ids=bags, bag_offsets=starts, vectors=vectors)

    every, kept, learner = int32(0, 1, 2, 3, -1), items(), make_learner()
    adapted = learner.adapt(**rated())
    before = adapted.predict(kept, every)
    np.testing.assert_array_equal(adapted.predict(kept, every), before)
    for change, row in ((ids, 1), (bags, 1), (vectors, 3)):
        change[row] = 0
        after = adapted.predict(kept, every)
        assert (after != before).sum() == 1
        np.testing.assert_array_equal(after, adapted.predict(items(), every))
        before = after
    starts[1:3] = 1  # the first bag loses a value that no bag has then
    after = adapted.predict(kept, every)
    np.testing.assert_array_equal(after, adapted.predict(items(), every))


def test_taken_tasks_read_the_same_memory() -> None:
    targets = task_arrays()["targets"]
    same_after_change(targets, lambda: make_tasks(targets=targets).take(int64(3, 0, 0)))


def test_parameters_are_one_memory_seen_several_times() -> None:
    learner = make_learner()
    first, second = learner.parameters(), learner.parameters()
    assert list(first) == list(second)
    for name, view in first.items():
        assert np.shares_memory(view, second[name])
        assert view.dtype == np.float64
        assert view.flags.c_contiguous and view.flags.aligned and view.flags.writeable
        assert not view.flags.owndata
        assert view.ctypes.data % 64 == 0
    assert set(learner.adapted_names()) <= set(first)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_have_the_dtype_of_the_learner(dtype: str) -> None:
    tasks = make_tasks()
    learner = make_learner(tasks, dtype=dtype)
    results = [learner.predict(tasks), learner.support_losses(tasks)]
    results += [learner.adapt(**rated()).predict(make_items(), int32(0))]
    results += learner.adapted_parameters(tasks).values()
    results += learner.meta_gradient(trainable(tasks))[1].values()
    results += learner.parameters().values()
    assert {result.dtype for result in results} == {np.dtype(dtype)}


def test_gradients_have_the_shapes_of_their_parameters() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    _, gradients = learner.meta_gradient(trainable(tasks))
    shapes = {name: view.shape for name, view in learner.parameters().items()}
    assert {name: gradient.shape for name, gradient in gradients.items()} == shapes
    assert not any(np.shares_memory(gradients[n], v) for n, v in learner.parameters().items())


def test_writing_into_a_view_changes_the_model() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    before = learner.predict(tasks)
    parameters = learner.parameters()
    parameters["head.bias"] += 1.0
    assert (learner.predict(tasks) != before).all()
    for view in parameters.values():
        view[...] = 0
    without_support = tasks.take(int64(1))  # nothing moves the parameters away from zero
    np.testing.assert_array_equal(learner.predict(without_support), 0)


def test_training_shows_in_a_view_made_before() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    parameters = learner.parameters()
    before = {name: view.copy() for name, view in parameters.items()}
    learner.step(trainable(tasks))
    learner.settle()
    assert any((view != before[name]).any() for name, view in parameters.items())
    for name, view in learner.parameters().items():
        np.testing.assert_array_equal(view, parameters[name])


@pytest.mark.parametrize("close", [False, True])
def test_a_view_keeps_the_memory_of_its_model_alive(close: bool) -> None:
    learner = make_learner()
    view = learner.parameters()["head.weight"]
    part = view[:1].T  # a view of the view
    view[...] = 7
    if close:
        learner.close()
    del learner, view
    gc.collect()
    others = [make_learner() for _ in range(20)]  # would reuse freed memory
    np.testing.assert_array_equal(part, 7)
    part[...] = 8
    np.testing.assert_array_equal(part, 8)
    del others


def test_borrowed_arrays_live_as_long_as_their_last_user() -> None:
    ids, arrays = int32(0, 1, 2, -1), task_arrays()
    borrowed = {"ids": ids, **arrays}
    before = {name: sys.getrefcount(array) for name, array in borrowed.items()}

    def held() -> set[str]:
        return {name for name, array in borrowed.items() if sys.getrefcount(array) > before[name]}

    items = make_items(ids=ids)
    assert held() == {"ids"}
    tasks = make_tasks(items=items, **arrays)
    taken = tasks.take(int64(0))
    items.close()
    del items
    tasks.close()
    del tasks
    gc.collect()
    assert held() == set(borrowed)
    learner = make_learner(taken)
    taken.close()
    del learner
    gc.collect()
    assert held() == set()


def test_tasks_work_after_their_arrays_names_are_gone() -> None:
    expected_tasks = make_tasks()
    learner = make_learner(expected_tasks)
    tasks = make_tasks(items=make_items(vectors=np.linspace(-1.0, 1.0, 8).reshape(4, 2)))
    gc.collect()
    np.testing.assert_array_equal(learner.predict(tasks), learner.predict(expected_tasks))


def test_a_cycle_through_a_borrowed_array_is_collected() -> None:
    class Tagged(np.ndarray):
        owner: native.Features

    ids = int32(0, 1, 2, -1).view(Tagged)
    witness = np.zeros(1)
    before = sys.getrefcount(witness)
    ids.witness = witness  # type: ignore[attr-defined]
    ids.owner = make_items(ids=ids)
    assert sys.getrefcount(witness) == before + 1
    del ids
    gc.collect()
    assert sys.getrefcount(witness) == before


def test_calls_leave_no_references_behind() -> None:
    tasks = trainable()
    learner = make_learner(tasks)

    def calls() -> None:
        learner.predict(tasks)
        learner.meta_gradient(tasks)
        learner.adapted_parameters(tasks)
        learner.parameters()
        learner.adapt(**rated()).predict(make_items(), int32(0))
        with pytest.raises(TypeError):
            learner.predict(None)  # type: ignore[arg-type]

    calls()
    gc.collect()
    counts = sys.getrefcount(tasks), sys.getrefcount(learner), sys.getrefcount(native.Tasks)
    for _ in range(50):
        calls()
    gc.collect()
    after = sys.getrefcount(tasks), sys.getrefcount(learner), sys.getrefcount(native.Tasks)
    assert after == counts
