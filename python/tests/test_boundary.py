"""Whatever comes in, the boundary does it right or says what was wrong."""

import inspect
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from native_objects import (
    OPTIONS,
    int32,
    int64,
    make_items,
    make_learner,
    make_tasks,
    make_users,
    many,
    rated,
    task_arrays,
    trainable,
)

from metarec import _metarec as native
from metarec.errors import (
    InvalidIndexError,
    InvalidTypeError,
    InvalidValueError,
    MetarecError,
    OutOfMemoryError,
    StateError,
)

# --- dtype, byte order, layout, shape -------------------------------------------------------------


def other_dtype(array: np.ndarray) -> np.ndarray:
    return array.astype(np.int64 if array.dtype == np.int32 else np.int32)


def swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("S"))


def strided(array: np.ndarray) -> np.ndarray:
    return np.repeat(array, 2)[::2]


def reversed_view(array: np.ndarray) -> np.ndarray:
    return array[::-1]


def misaligned(array: np.ndarray) -> np.ndarray:
    room = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype)
    room[...] = array
    return room


def listed(array: np.ndarray) -> list[Any]:
    return list(array)


TASK_ARRAYS = ["offsets", "support_counts", "item_index", "targets", "user_index"]


@pytest.mark.parametrize("name", TASK_ARRAYS)
@pytest.mark.parametrize(
    "spoil", [other_dtype, swapped, strided, reversed_view, misaligned, listed]
)
def test_an_array_of_another_type_or_layout_is_refused(
    name: str, spoil: Callable[[np.ndarray], Any]
) -> None:
    good = task_arrays()[name]
    with pytest.raises(InvalidTypeError, match=rf"^{name}: got .*; wanted .*{good.dtype}"):
        make_tasks(**{name: spoil(good)})


def test_the_error_tells_the_byte_order() -> None:
    with pytest.raises(InvalidTypeError, match=r"dtype >f8"):
        make_tasks(targets=task_arrays()["targets"].astype(">f8"))


@pytest.mark.parametrize("name", TASK_ARRAYS)
def test_an_array_of_another_rank_is_refused(name: str) -> None:
    good = task_arrays()[name]
    for bad in (good.reshape(1, -1), good[:1].reshape(())):
        with pytest.raises(
            InvalidValueError, match=rf"^{name}: got .*shape {re.escape(str(bad.shape))}"
        ):
            make_tasks(**{name: bad})


@pytest.mark.parametrize("name", ["support_counts", "item_index", "targets", "user_index"])
def test_an_array_of_another_length_is_refused(name: str) -> None:
    good = task_arrays()[name]
    for bad in (good[:-1], np.concatenate([good, good[:1]])):
        with pytest.raises(InvalidValueError):
            make_tasks(**{name: bad})


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.complex128, np.int64, object])
def test_targets_are_float32_or_float64(dtype: Any) -> None:
    with pytest.raises(InvalidTypeError, match="targets"):
        make_tasks(targets=task_arrays()["targets"].astype(dtype))


def test_dense_vectors_have_the_shape_of_the_field() -> None:
    vectors = np.ones((4, 2))
    for bad in (vectors[:3], vectors[:, :1].copy(), vectors.ravel()):
        with pytest.raises(InvalidValueError, match="field 'plot': vectors"):
            make_items(vectors=bad)
    with pytest.raises(InvalidTypeError, match="field 'plot': vectors"):
        make_items(vectors=np.asfortranarray(vectors))


@pytest.mark.parametrize("index", [0, 9, 10, 123])
def test_a_field_that_is_none_is_named_by_its_place(index: int) -> None:
    fields: list[Any] = [(f"f{i}", "categorical", 1, int32(0), None, None) for i in range(index)]
    with pytest.raises(InvalidTypeError, match=rf"^fields\[{index}\]: wanted a tuple"):
        native.Features(1, [*fields, ("a", "categorical")])
    with pytest.raises(InvalidTypeError, match=rf"^fields\[{index}\]: .*wanted a str"):
        native.Features(1, [*fields, (3, "categorical", 1, int32(0), None, None)])


@pytest.mark.parametrize("length", [149, 150, 151, 1000])
def test_long_names_of_fields_are_cut_in_messages(length: int) -> None:
    shown = "n" * min(length, 150)
    with pytest.raises(InvalidTypeError, match=f"^field '{shown}': ids: "):
        native.Features(1, [("n" * length, "categorical", 1, [0], None, None)])


def test_a_field_has_the_parts_of_its_kind_only() -> None:
    ids = int32(0)
    with pytest.raises(InvalidValueError, match="field 'a': offsets"):
        native.Features(1, [("a", "categorical", 1, ids, int64(0, 1), None)])
    with pytest.raises(InvalidTypeError, match="field 'a': offsets"):
        native.Features(1, [("a", "bag", 1, ids, None, None)])
    with pytest.raises(InvalidValueError, match="kind: got 'text'"):
        native.Features(1, [("a", "text", 1, ids, None, None)])


def test_users_and_their_index_come_together() -> None:
    with pytest.raises(InvalidValueError, match="user_index and users"):
        make_tasks(user_index=None)
    with pytest.raises(InvalidValueError, match="user_index and users"):
        make_tasks(users=None)


# --- indices, offsets, numbers --------------------------------------------------------------------


@pytest.mark.parametrize("index", [-2, 4, 2**31 - 1, -(2**31)])
def test_item_indices_lie_in_the_table(index: int) -> None:
    items = task_arrays()["item_index"]
    items[5] = index
    with pytest.raises(InvalidIndexError, match="item"):
        make_tasks(item_index=items)


@pytest.mark.parametrize("index", [-2, 3, 2**31 - 1, -(2**31)])
def test_user_indices_lie_in_the_table(index: int) -> None:
    with pytest.raises(InvalidIndexError, match="user"):
        make_tasks(user_index=int32(0, 1, 2, index))


@pytest.mark.parametrize("index", [-2, 3, 2**31 - 1])
def test_categorical_ids_lie_in_the_field(index: int) -> None:
    with pytest.raises(InvalidIndexError, match="rate"):
        make_items(ids=int32(0, 1, 2, index))


@pytest.mark.parametrize("index", [-2, 5, 2**31 - 1])
def test_bag_ids_lie_in_the_field(index: int) -> None:
    with pytest.raises(InvalidIndexError, match="genre"):
        make_items(bag_ids=int32(0, 4, 1, 2, index))


@pytest.mark.parametrize("index", [-1, 4, 2**63 - 1, -(2**63)])
def test_taken_tasks_exist(index: int) -> None:
    with pytest.raises(InvalidIndexError, match="task_ids"):
        make_tasks().take(int64(0, index))


BAD_OFFSETS = [
    (0, 4, 2, 8, 11),  # decreases
    (0, 4, 6, 8, 12),  # overruns
    (0, 4, 6, 8, 10),  # leaves rows over
    (1, 4, 6, 8, 11),  # begins late
    (-1, 4, 6, 8, 11),
    (0, 4, 6, 2**63 - 1, 11),
    (0, -(2**63), 6, 8, 11),
]


@pytest.mark.parametrize("offsets", BAD_OFFSETS)
def test_offsets_rise_from_zero_to_the_number_of_rows(offsets: tuple[int, ...]) -> None:
    with pytest.raises((InvalidValueError, InvalidIndexError), match="offsets"):
        make_tasks(offsets=int64(*offsets))


@pytest.mark.parametrize(
    "offsets", [(0, 2, 1, 4, 5), (0, 2, 2, 4, 6), (0, 2, 2, 4, 4), (1, 2, 2, 4, 5)]
)
def test_bag_offsets_rise_from_zero_to_the_number_of_ids(offsets: tuple[int, ...]) -> None:
    with pytest.raises((InvalidValueError, InvalidIndexError), match="offsets"):
        make_items(bag_offsets=int64(*offsets))


def test_offsets_have_at_least_one_element() -> None:
    with pytest.raises(InvalidValueError, match="offsets"):
        make_tasks(offsets=int64())
    with pytest.raises(InvalidValueError, match="offsets"):
        native.metrics(np.ones(0), np.ones(0), int64(), [("mae", 0, 0.0)])


@pytest.mark.parametrize("count", [-1, 5, 2**63 - 1, -(2**63)])
def test_support_fits_into_its_task(count: int) -> None:
    with pytest.raises(InvalidValueError, match="support_counts"):
        make_tasks(support_counts=int64(count, 0, 2, 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_targets_and_vectors_are_finite(value: float, dtype: Any) -> None:
    targets = task_arrays()["targets"].astype(dtype)
    targets[-1] = value
    with pytest.raises(InvalidValueError, match="targets"):
        make_tasks(targets=targets)
    vectors = np.ones((4, 2), dtype)
    vectors[3, 1] = value
    with pytest.raises(InvalidValueError, match="plot"):
        make_items(vectors=vectors)


HUGE = [2**40, 2**62, 2**63 - 1]


@pytest.mark.parametrize("size", [2**63, -1, 10**400])
def test_sizes_that_no_array_has_are_refused(size: int) -> None:
    ids = int32(0, 1, 2, -1)
    with pytest.raises(InvalidValueError, match="size"):
        make_items(size=size)
    with pytest.raises(InvalidValueError, match="rows"):
        native.Features(size, [("a", "categorical", 3, ids, None, None)])


@pytest.mark.parametrize("size", HUGE)
def test_huge_tables_are_refused_before_they_are_made(size: int) -> None:
    with pytest.raises((OutOfMemoryError, InvalidValueError)):
        make_learner(make_tasks(items=make_items(size=size)))


def test_matrices_of_more_elements_than_a_plan_counts_are_refused() -> None:
    with pytest.raises(OutOfMemoryError, match=r"dense1.*65536, 65536.*at most 2147483647"):
        make_learner(make_tasks(), **{"backbone.hidden": [65536, 65536]})


@pytest.mark.parametrize("resamples", HUGE)
def test_huge_results_are_refused_before_they_are_made(resamples: int) -> None:
    ones = np.ones((2, 3))
    with pytest.raises((OutOfMemoryError, InvalidValueError)):
        native.bootstrap(ones, ones, np.array([True, False]), resamples, 0)


def test_integers_may_be_of_any_integer_type_and_of_no_other() -> None:
    one: Any
    for one in (1, True, np.uint8(1), np.int64(1), np.array(1)):
        native.Features(one, [("a", "categorical", one, int32(0), None, None)])
    for rows in (1.0, "1", None):
        with pytest.raises(InvalidTypeError, match=r"^rows: .*wanted an integer"):
            native.Features(rows, [])  # type: ignore[arg-type]


# --- tables and tasks without content -------------------------------------------------------------


def test_an_empty_task_set_gives_empty_results() -> None:
    empty = native.Tasks(
        int64(0), int64(), int32(), np.empty(0), int32(), make_items(), make_users()
    )
    for tasks in (empty, make_tasks().take(int64())):
        assert (tasks.task_count, tasks.support_rows, tasks.query_rows) == (0, 0, 0)
        learner = make_learner(tasks)
        assert learner.predict(tasks).shape == (0,)
        assert learner.support_losses(tasks).shape == (0, 3)
        shapes = {name: view.shape for name, view in learner.parameters().items()}
        adapted = learner.adapted_parameters(tasks)
        assert {name: array.shape for name, array in adapted.items()} == {
            name: (0, *shapes[name]) for name in learner.adapted_names()
        }
        for call in (learner.step, learner.meta_gradient):
            with pytest.raises(InvalidValueError, match="tasks"):
                call(tasks)
        assert learner.steps == 0


def test_a_task_without_support_keeps_the_shared_parameters() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    shared, adapted = learner.parameters(), learner.adapted_parameters(tasks)
    for name, values in adapted.items():
        np.testing.assert_array_equal(values[1], shared[name])
    assert any((values[0] != shared[name]).any() for name, values in adapted.items())
    losses = learner.support_losses(tasks)
    assert np.isnan(losses[1]).all()
    assert np.isfinite(losses[[0, 2, 3]]).all()


def test_a_task_without_query_adds_no_predictions() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    all_rows = learner.predict(tasks)
    assert all_rows.shape == (tasks.query_rows,) == (6,)
    assert np.isfinite(all_rows).all()
    assert learner.predict(tasks.take(int64(2))).shape == (0,)
    np.testing.assert_array_equal(learner.predict(tasks.take(int64(0, 1, 3))), all_rows)
    assert learner.support_losses(tasks).shape == (4, OPTIONS["algorithm.inner_steps"] + 1)
    assert len(learner.adapted_parameters(tasks)["head.bias"]) == 4
    # Their meta-loss is undefined.
    for call in (learner.meta_gradient, learner.step):
        with pytest.raises(InvalidValueError, match="task 2 has no query rows"):
            call(tasks)
    assert learner.steps == 0


def test_tables_without_rows_or_values_are_tables_of_unknowns() -> None:
    no_rows = make_items(
        rows=0, ids=int32(), bag_ids=int32(), bag_offsets=int64(0), vectors=np.empty((0, 2))
    )
    no_values = make_items(
        size=0,
        ids=int32(-1, -1, -1, -1),
        bag_size=0,
        bag_ids=int32(),
        bag_offsets=int64(0, 0, 0, 0, 0),
    )
    unknown = np.full(11, -1, np.int32)
    for tasks in (make_tasks(items=no_rows, item_index=unknown), make_tasks(items=no_values)):
        learner = make_learner(tasks)
        assert np.isfinite(learner.step(trainable(tasks)))
        assert np.isfinite(learner.predict(tasks)).all()
    with pytest.raises(InvalidIndexError):
        make_tasks(items=no_rows)


def test_read_only_inputs_are_accepted() -> None:
    arrays = task_arrays()
    ids = int32(0, 1, 2, -1)
    for array in (ids, *arrays.values()):
        array.flags.writeable = False
    tasks = make_tasks(**arrays, items=make_items(ids=ids))
    assert np.isfinite(make_learner(tasks).step(trainable(tasks)))


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"x", {}, {1}, ["x"], [[1.0]], [None], 1j, object()])
def test_options_are_numbers_text_none_or_lists_of_numbers(value: Any) -> None:
    with pytest.raises(InvalidTypeError, match="seed"):
        native.Learner(OPTIONS | {"seed": value})


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63, 10**400])
def test_options_do_not_round_integers(value: int) -> None:
    with pytest.raises(InvalidValueError, match="seed"):
        native.Learner(OPTIONS | {"seed": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no.such.option", 1),
        ("backbone", "no such backbone"),
        ("dtype", "float16"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("algorithm.inner_lr", float("nan")),
        ("algorithm.inner_steps", -1),
        ("backbone.hidden", [8, -1]),
        ("optimizer.lr", "fast"),
    ],
)
def test_options_that_cannot_be_used_are_named(name: str, value: Any) -> None:
    with pytest.raises((InvalidValueError, InvalidTypeError), match=re.escape(name)):
        native.Learner(OPTIONS | {name: value})


@pytest.mark.parametrize("options", [None, [], "maml", 3, {1: 2}])
def test_options_are_a_mapping_of_names(options: Any) -> None:
    with pytest.raises(InvalidTypeError, match="options"):
        native.Learner(options)


# --- wrong state ----------------------------------------------------------------------------------


def test_a_learner_does_nothing_before_it_is_initialised() -> None:
    tasks, learner = make_tasks(), native.Learner(OPTIONS)
    for call in (learner.predict, learner.step, learner.meta_gradient):
        with pytest.raises(StateError):
            call(tasks)
    with pytest.raises(StateError):
        learner.adapt(**rated())
    with pytest.raises(StateError):
        learner.parameters()
    learner.initialize(tasks)
    with pytest.raises(StateError):
        learner.initialize(tasks)


def test_closed_objects_say_so() -> None:
    items, tasks = make_items(), make_tasks()
    learner = make_learner(tasks)
    adapted = learner.adapt(**rated())
    for thing in (items, adapted, learner):
        thing.close()
        thing.close()
    with pytest.raises(StateError, match="Features: already closed"):
        make_tasks(items=items)
    for table in ("catalogue", "user"):
        with pytest.raises(StateError, match="Features: already closed"):
            make_learner().adapt(**rated(**{table: items}))
    with pytest.raises(StateError, match="Features: already closed"):
        make_learner().adapt(**rated()).predict(items, int32(0))
    with pytest.raises(StateError, match="Adapted: already closed"):
        adapted.predict(make_items(), int32(0))
    uses: list[Callable[[], Any]]
    uses = [learner.parameters, lambda: learner.predict(tasks), lambda: learner.steps]
    for use in uses:
        with pytest.raises(StateError, match="Learner: already closed"):
            use()
    tasks.close()
    uses = [lambda: tasks.task_count, lambda: tasks.take(int64(0))]
    for use in uses:
        with pytest.raises(StateError, match="Tasks: already closed"):
            use()
    with pytest.raises(StateError, match="Tasks: already closed"):
        make_learner(make_tasks()).predict(tasks)


def test_closing_a_part_leaves_what_uses_it_whole() -> None:
    items, users = make_items(), make_users()
    tasks = make_tasks(items=items, users=users)
    taken = tasks.take(int64(0, 1))
    learner = make_learner(tasks)
    before = learner.predict(taken)
    for thing in (items, users, tasks):
        thing.close()
    np.testing.assert_array_equal(learner.predict(taken), before)


def test_an_adapted_model_ends_with_the_next_step() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    items = make_items()
    adapted = learner.adapt(**rated(catalogue=items))
    np.testing.assert_allclose(
        adapted.predict(items, int32(2, 3)), learner.predict(tasks.take(int64(0))), rtol=1e-12
    )
    learner.step(trainable(tasks))
    with pytest.raises(StateError):
        adapted.predict(items, int32(2, 3))


# --- one user -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["items", "ratings"])
@pytest.mark.parametrize(
    "spoil", [other_dtype, swapped, strided, reversed_view, misaligned, listed]
)
def test_a_users_array_of_another_type_or_layout_is_refused(
    name: str, spoil: Callable[[np.ndarray], Any]
) -> None:
    learner, good = make_learner(), rated()[name]
    with pytest.raises(InvalidTypeError, match=rf"^{name}: got .*; wanted .*{good.dtype}"):
        learner.adapt(**rated(**{name: spoil(good)}))
    if name == "items":
        adapted, items = learner.adapt(**rated()), make_items()
        with pytest.raises(InvalidTypeError, match=r"^items: got .*; wanted .*int32"):
            adapted.predict(items, spoil(good))


@pytest.mark.parametrize("index", [-2, 4, 2**31 - 1, -(2**31)])
def test_a_users_items_lie_in_the_catalogue(index: int) -> None:
    learner, items = make_learner(), make_items()
    for adapt in ("decision", "all"):
        learner = make_learner(algorithm__adapt=adapt)
        with pytest.raises(InvalidIndexError, match=rf"^items\[1\] = {index}: outside -1 \.\.< 4"):
            learner.adapt(**rated(items=int32(0, index)))
        adapted = learner.adapt(**rated())
        with pytest.raises(InvalidIndexError, match=rf"^items\[2\] = {index}: outside -1 \.\.< 4"):
            adapted.predict(items, int32(0, 1, index))
        assert np.isfinite(adapted.predict(items, int32(0, -1, 3))).all()
        assert adapted.predict(items, int32()).shape == (0,)


def test_a_users_arguments_are_named() -> None:
    learner = make_learner()
    with pytest.raises(InvalidValueError, match=r"^ratings\[1\] = nan: wanted a finite number"):
        learner.adapt(**rated(ratings=np.array([1, np.nan])))
    with pytest.raises(InvalidValueError, match=r"^ratings: got .*\(3,\).* wanted shape"):
        learner.adapt(**rated(ratings=np.ones(3)))
    with pytest.raises(InvalidValueError, match=r"^user: a table of 3 rows, wanted one"):
        learner.adapt(**rated(user=make_users()))
    with pytest.raises(InvalidValueError, match=r"^users: their fields are \[\], wanted"):
        learner.adapt(**rated(user=None))
    with pytest.raises(InvalidValueError, match=r"^items: their fields are .* wanted"):
        learner.adapt(**rated(catalogue=rated()["user"]))
    for wrong in (None, 3, make_tasks()):
        with pytest.raises(InvalidTypeError, match=r"^catalogue: got .*wanted a Features"):
            learner.adapt(**rated(catalogue=wrong))
        with pytest.raises(InvalidTypeError, match=r"^catalogue: got .*wanted a Features"):
            learner.adapt(**rated()).predict(wrong, int32(0))  # type: ignore[arg-type]


@pytest.mark.parametrize("adapt", ["decision", "all"])
def test_ids_that_change_after_they_were_checked_are_refused(adapt: str) -> None:
    ids = int32(0, 1, 2, -1)
    items, learner = make_items(ids=ids), make_learner(algorithm__adapt=adapt)
    adapted = learner.adapt(**rated(catalogue=items))
    before = adapted.predict(items, int32(0, 1, 2, 3))
    ids[2] = 10**9
    for call in (
        lambda: adapted.predict(items, int32(0, 1, 2, 3)),
        lambda: learner.adapt(**rated(catalogue=items, items=int32(2, 0))),
    ):
        with pytest.raises(StateError, match="changed"):
            call()
    ids[2] = 2
    np.testing.assert_array_equal(adapted.predict(items, int32(0, 1, 2, 3)), before)


def test_tasks_have_the_features_that_the_learner_knows() -> None:
    learner = make_learner()
    other = native.Features(4, [("rate", "categorical", 3, int32(0, 1, 2, -1), None, None)])
    with pytest.raises(MetarecError):
        learner.predict(make_tasks(items=other))
    with pytest.raises(MetarecError):
        learner.predict(make_tasks(users=None, user_index=None))


def test_values_of_the_wrong_shape_do_not_get_into_a_parameter() -> None:
    learner = make_learner()
    before = {name: view.copy() for name, view in learner.parameters().items()}
    for name, view in learner.parameters().items():
        with pytest.raises(ValueError, match="broadcast"):
            view[...] = np.ones((3, *view.shape))
        np.testing.assert_array_equal(view, before[name])


# --- long calls -----------------------------------------------------------------------------------

LONG = 3_000_000  # tasks: more than any of these tests waits for


def assert_ctrl_c_stops(call: Callable[[], object]) -> None:
    """Within moments, by the processor's time: the machine may be busy with other things."""
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.8, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        call()
    waited = time.process_time() - sent[0]
    timer.join()
    assert waited < 0.5  # 50 ms on a quiet machine


def test_ctrl_c_stops_a_long_call_and_leaves_the_learner_usable() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    work = many(tasks, LONG)
    assert_ctrl_c_stops(lambda: learner.train_epoch(work, None, 0))
    assert 0 < learner.steps < LONG // OPTIONS["batch_size"]
    assert np.isfinite(learner.predict(tasks)).all()
    assert np.isfinite(learner.step(trainable(tasks)))


def test_ctrl_c_stops_the_draw_of_many_parameters() -> None:
    learner = native.Learner(OPTIONS | {"backbone.embedding_dim": 64, "dtype": "float32"})
    large = make_tasks(items=make_items(size=2**21))
    assert_ctrl_c_stops(lambda: learner.initialize(large))
    with pytest.raises(StateError, match="no parameters yet"):
        learner.parameters()
    learner.initialize(make_tasks())
    assert np.isfinite(learner.predict(make_tasks())).all()


@pytest.mark.parametrize("batch_size", [0, 1, 2])
@pytest.mark.parametrize("own", [[0], [0, 1, 2]])
def test_ctrl_c_stops_the_draw_of_many_negatives(batch_size: int, own: list[int]) -> None:
    weights, items = np.ones(3), int32(*own, 1)
    offsets, counts = int64(0, len(own), len(items)), int64(2**30, 2**30)
    assert_ctrl_c_stops(
        lambda: native.negatives(weights, offsets, items, counts, 0, 0, batch_size=batch_size)
    )


def test_an_epoch_goes_on_where_it_stopped() -> None:
    tasks = many(make_tasks(), 3 * OPTIONS["batch_size"])
    whole, parts = make_learner(tasks), make_learner(tasks)
    wanted = whole.train_epoch(tasks, None, 0)
    assert wanted["step"] == wanted["steps"] == 3
    told = parts.train_epoch(tasks, None, 0, count=1)
    assert (told["step"], told["steps"], told["tasks"]) == (1, 3, OPTIONS["batch_size"])
    told = parts.train_epoch(tasks, None, 0, None, told["step"], told["sum"], 10**9)
    assert told == wanted
    # Nothing is left of it:
    again = parts.train_epoch(tasks, None, 0, step=3, sum=told["sum"])
    assert again["sum"] == told["sum"] and again["step"] == 3 and np.isnan(again["loss"])
    for wrong, error in (
        ({"step": 4}, ValueError),
        ({"step": -1}, ValueError),
        ({"step": 1.5}, TypeError),
        ({"step": None}, TypeError),
        ({"sum": "a"}, TypeError),
        ({"count": 0}, ValueError),
        ({"count": 2**63}, (ValueError, OverflowError)),
        ({"count": "a"}, TypeError),
    ):
        with pytest.raises(error, match=next(iter(wrong))):
            parts.train_epoch(tasks, None, 0, **wrong)
    assert parts.steps == 3


def test_parameters_above_a_limit_are_refused() -> None:
    tasks = make_tasks()
    count = sum(value.size for value in make_learner(tasks).parameters().values())
    learner = native.Learner(OPTIONS)
    with pytest.raises(ValueError, match=f"parameters: {count}.* wanted at most {count - 1}"):
        learner.initialize(tasks, count - 1)
    with pytest.raises(ValueError, match="limit"):
        learner.initialize(tasks, -1)
    learner.initialize(tasks, limit=count)


def test_what_a_progress_callback_raises_stops_the_call() -> None:
    class StopHere(Exception):
        pass

    def progress(fraction: float, loss: float) -> None:
        raise StopHere

    tasks = make_tasks()
    learner = make_learner(tasks)
    with pytest.raises(StopHere):
        learner.train_epoch(many(tasks, LONG), None, 0, progress)
    assert np.isfinite(learner.step(trainable(tasks)))


def test_progress_comes_at_most_ten_times_a_second_and_rises() -> None:
    class Enough(Exception):
        pass

    calls: list[tuple[float, float]] = []

    def progress(fraction: float, loss: float) -> None:
        calls.append((fraction, time.monotonic()))
        if len(calls) == 5:
            raise Enough

    tasks = make_tasks()
    with pytest.raises(Enough):
        make_learner(tasks).train_epoch(many(tasks, LONG), None, 0, progress)
    fractions, times = np.array(calls).T
    assert (np.diff(fractions) > 0).all()
    assert (fractions >= 0).all() and (fractions < 1).all()
    assert (np.diff(times) >= 0.099).all()


def test_a_callback_cannot_call_the_learner_that_reports() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    uses: list[Callable[[], Any]]
    uses = [lambda: learner.predict(tasks), learner.parameters, learner.close]
    for use in uses:

        def progress(fraction: float, loss: float, use: Callable[[], Any] = use) -> None:
            use()

        with pytest.raises(StateError, match="in use by this thread"):
            learner.train_epoch(many(tasks, LONG), None, 0, progress)


def test_what_another_thread_uses_cannot_be_closed() -> None:
    tasks = make_tasks()
    learner, work = make_learner(tasks), many(tasks, LONG)
    running, stop = threading.Event(), threading.Event()

    def progress(fraction: float, loss: float) -> None:
        running.set()
        if stop.is_set():
            raise InterruptedError

    with ThreadPoolExecutor(1) as pool:
        epoch = pool.submit(learner.train_epoch, work, None, 0, progress)
        try:
            assert running.wait(30)
            for thing in (learner, work):
                with pytest.raises(StateError, match="in use by another thread"):
                    thing.close()
            tasks.close()  # not in use itself, and what `work` needs of it stays
        finally:
            stop.set()
        with pytest.raises(InterruptedError):
            epoch.result()
    learner.close()


def trained(seed: int) -> dict[str, np.ndarray]:
    tasks = make_tasks()
    learner = make_learner(tasks, seed=seed)
    for epoch in range(3):
        learner.train_epoch(many(tasks, 3000), None, epoch)
    learner.settle()
    return {name: view.copy() for name, view in learner.parameters().items()}


def test_two_models_train_in_two_threads_at_once() -> None:
    alone = [trained(0), trained(1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(trained, [0, 1]))
    for one, other in zip(alone, together, strict=True):
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_computes_what_its_parent_computes() -> None:
    tasks = make_tasks()
    learner = make_learner(tasks, threads=2)
    learner.train_epoch(many(tasks, 2000), None, 0)  # the parent has worker threads now
    expected = learner.predict(tasks)

    def child() -> None:
        if not np.array_equal(learner.predict(tasks), expected):
            os._exit(3)
        learner.train_epoch(many(tasks, 2000), None, 1)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    if process.is_alive():
        process.kill()
    assert process.exitcode == 0


# --- metrics --------------------------------------------------------------------------------------


def test_metrics_refuse_what_they_cannot_measure() -> None:
    three, offsets = np.ones(3), int64(0, 1, 3)
    mae = [("mae", 0, 0.0)]
    native.metrics(three, three, offsets, mae)
    with pytest.raises(InvalidValueError, match="predictions"):
        native.metrics(np.ones(2), three, offsets, mae)
    with pytest.raises(InvalidValueError, match="targets"):
        native.metrics(three, np.ones(4), offsets, mae)
    with pytest.raises(InvalidTypeError, match="predictions"):
        native.metrics(three.astype(np.float32), three, offsets, mae)
    with pytest.raises(InvalidValueError, match=r"metrics\[0\]: got the name 'speed'"):
        native.metrics(three, three, offsets, [("speed", 0, 0.0)])
    with pytest.raises(InvalidValueError, match=r"metrics\[0\]: k"):
        native.metrics(three, three, offsets, [("ndcg", -1, 4.0)])
    for bad in (int64(0, 4, 3), int64(1, 2, 3), int64(0, -1, 3), int64(0, 1, -3)):
        with pytest.raises((InvalidValueError, InvalidIndexError), match="offsets"):
            native.metrics(three, three, bad, mae)


def test_bootstrap_refuses_what_it_cannot_resample() -> None:
    ones, roots = np.ones((2, 3)), np.array([True, False])
    assert native.bootstrap(ones, ones, roots, 4, 2**64 - 1).shape == (2, 4)
    with pytest.raises(InvalidValueError, match="denominators"):
        native.bootstrap(ones, ones[:1], roots, 4, 0)
    with pytest.raises(InvalidValueError, match="square_root"):
        native.bootstrap(ones, ones, roots[:1], 4, 0)
    with pytest.raises(InvalidTypeError, match="square_root"):
        native.bootstrap(ones, ones, roots.astype(np.uint8), 4, 0)
    with pytest.raises(InvalidValueError, match="resamples"):
        native.bootstrap(ones, ones, roots, -1, 0)
    for seed in (-1, 2**64):
        with pytest.raises(InvalidValueError, match="seed"):
            native.bootstrap(ones, ones, roots, 4, seed)


# --- what a notebook shows ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thing", "signature"),
    [
        (native.Features, "(rows, fields)"),
        (native.Learner, "(options)"),
        (
            native.Learner.train_epoch,
            "(self, /, tasks, episodes, epoch, progress=None, step=0, sum=0.0, count=None)",
        ),
        (native.metrics, "(predictions, targets, offsets, metrics)"),
    ],
)
def test_help_shows_signatures(thing: Any, signature: str) -> None:
    assert str(inspect.signature(thing)) == signature
