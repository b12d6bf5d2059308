"""Task sets: validation, views, and where support and query rows are."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarec.episodes import Episodes
from metarec.errors import InvalidIndexError, InvalidTypeError, InvalidValueError
from metarec.features import Categorical, FeatureTable
from metarec.tasks import TaskSet

ITEMS = FeatureTable({"a": Categorical(np.zeros(5, np.int32), 1)})


def arrays(**changes):
    given = {
        "offsets": np.array([0, 3, 3, 5]),
        "support_counts": np.array([2, 0, 0]),
        "item_index": np.array([0, 1, 2, -1, 4], np.int32),
        "targets": np.array([5, 4, 3, 2, 1], np.float32),
        "user_index": None,
        "items": ITEMS,
        "users": None,
    }
    return given | changes


def test_memory_is_shared_and_counts_are_right():
    given = arrays()
    tasks = TaskSet(**given)
    assert tasks.item_index is given["item_index"] and tasks.targets is given["targets"]
    assert (len(tasks), tasks.support_rows, tasks.query_rows) == (3, 2, 3)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"offsets": np.array([0, 3, 3, 6])}, InvalidValueError, r"offsets\[3\] = 6, wanted 5"),
        (
            {"offsets": np.array([0, 3, 2, 5])},
            InvalidValueError,
            r"offsets\[2\] = 2, less than",
        ),
        ({"offsets": np.array([0, 3, 3, 5], np.int32)}, InvalidTypeError, "offsets: .* int32"),
        (
            {"support_counts": np.array([2, 1, 0])},
            InvalidValueError,
            r"support_counts\[1\] = 1",
        ),
        ({"support_counts": np.array([-1, 0, 0])}, InvalidValueError, r"support_counts\[0\]"),
        ({"support_counts": np.array([0, 0])}, InvalidValueError, r"support_counts: got .*\(3,\)"),
        (
            {"item_index": np.array([0, 1, 2, -2, 4], np.int32)},
            InvalidIndexError,
            r"item_index\[3\]",
        ),
        (
            {"item_index": np.array([0, 1, 2, 3, 5], np.int32)},
            InvalidIndexError,
            r"item_index\[4\]",
        ),
        (
            {"targets": np.array([5, 4, 3, 2], np.float32)},
            InvalidValueError,
            r"targets: .* \(5,\)",
        ),
        (
            {"targets": np.array([5, 4, 3, 2, 1])},
            InvalidTypeError,
            "targets: got .* int64",
        ),
        ({"targets": np.array([5, np.inf, 3, 2, 1])}, InvalidValueError, r"targets\[1\].*inf"),
        ({"users": ITEMS}, InvalidValueError, "user_index and users: .* both"),
        ({"user_index": np.zeros(3, np.int32)}, InvalidValueError, "user_index and users: .* both"),
        (
            {"user_index": np.array([0, 5, 0], np.int32), "users": ITEMS},
            InvalidIndexError,
            r"user_index\[1\] = 5: outside",
        ),
        ({"items": None}, InvalidTypeError, "items: expected FeatureTable, got NoneType"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(changes, error, message):
    with pytest.raises(error, match=message):
        TaskSet(**arrays(**changes))


def test_an_empty_task_set():
    none = np.empty(0, np.int64)
    rows = np.empty(0, np.int32)
    tasks = TaskSet(np.array([0]), none, rows, rows.astype(np.float32), items=ITEMS)
    assert (len(tasks), tasks.support_rows, tasks.query_rows) == (0, 0, 0)
    assert [part.tolist() for part in tasks.query_targets()] == [[], [0]]
    assert len(tasks.take([])) == 0
    assert "0 tasks" in tasks._repr_html_()


def test_take_is_a_view_in_the_order_given():
    tasks = TaskSet(**arrays())
    view = tasks.take([2, 0, 0])
    assert view.targets is tasks.targets
    targets, offsets = view.query_targets()
    assert targets.tolist() == [2, 1, 3, 3]
    assert offsets.tolist() == [0, 2, 3, 4]
    again = view.take(np.array([1], np.int32))
    assert again.task_ids.tolist() == [0]
    assert (again.support_rows, again.query_rows) == (2, 1)
    assert len(pickle.loads(pickle.dumps(view))) == 3


@pytest.mark.parametrize(("ids", "error"), [([3], InvalidIndexError), ([-1], InvalidIndexError)])
def test_take_outside_is_refused(ids, error):
    with pytest.raises(error, match="ids"):
        TaskSet(**arrays()).take(ids)


def test_take_wants_integers():
    with pytest.raises(InvalidTypeError, match="ids: expected integers"):
        TaskSet(**arrays()).take([0.5])
    with pytest.raises(InvalidTypeError, match="ids: expected integers"):
        TaskSet(**arrays()).take([True, False, True])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=6), st.data())
def test_support_and_query_are_the_slices_of_each_task(sizes, data):
    support = np.array([s for s, _ in sizes], np.int64)
    offsets = np.concatenate([[0], np.cumsum([s + q for s, q in sizes])]).astype(np.int64)
    total = int(offsets[-1])
    tasks = TaskSet(
        offsets,
        support,
        np.zeros(total, np.int32),
        np.arange(total, dtype=np.float64),
        items=ITEMS,
    )
    ids = data.draw(st.lists(st.integers(0, len(sizes) - 1), max_size=8)) if sizes else []
    view = tasks.take(ids)
    expected = [list(range(offsets[t], offsets[t] + support[t])) for t in ids]
    rows, bounds = view.support()
    assert [rows[a:b].tolist() for a, b in pairwise(bounds)] == expected
    expected = [list(range(offsets[t] + support[t], offsets[t + 1])) for t in ids]
    targets, bounds = view.query_targets()
    assert [targets[a:b].tolist() for a, b in pairwise(bounds)] == expected


def test_native_view_counts_its_own_tasks():
    view = TaskSet(**arrays()).take([2, 0])
    assert view.native.task_count == 2
    assert (view.native.support_rows, view.native.query_rows) == (2, 3)


def test_episodes():
    assert Episodes(support=5, query=(1, 3)).bounds == (5, 5, 1, 3)
    assert Episodes().bounds == (3, 90, 10, 10)
    assert Episodes(support=5) == Episodes(support=(5, 5))
    with pytest.raises(InvalidValueError, match="support: expected low <= high"):
        Episodes(support=(9, 3))
    with pytest.raises(InvalidValueError, match="query: expected at least 1"):
        Episodes(query=0)
    with pytest.raises(InvalidTypeError, match="support"):
        Episodes(support=(1, 2, 3))
    with pytest.raises(InvalidTypeError, match="support: expected an integer, got float"):
        Episodes(support=2.5)
