"""Nothing that is passed to the native module ends the process: a short run of `make fuzz`."""

import contextlib
import subprocess
import sys
from pathlib import Path

import fuzz
import native_calls
import numpy as np
import pytest
from hostile import Mischief
from native_objects import int32, int64, make_items, make_learner, make_tasks, rated, trainable

from metarec import _metarec as native
from metarec.errors import InvalidTypeError, InvalidValueError, StateError


def test_hostile_calls_end_in_answers_or_in_errors_that_name_the_argument() -> None:
    found = fuzz.run(seed=0, first=0, calls=6_000, only=None, chunk=6_000)
    assert found["findings"] == []
    assert found["calls"] == 6_000
    assert {name for name, _ in found["outcomes"]} == set(native_calls.exported())


def test_every_exported_function_is_called() -> None:
    names = list(native_calls.exported())
    assert {"metrics", "Learner", "Learner.steps", "Adapted.predict", "Tasks.take"} <= set(names)
    missing = [n for n in names if not hasattr(native_calls.World, n.replace(".", "_"))]
    assert missing == [], "a new function: tell in native_calls.py how it is called"


def test_the_good_calls_are_good() -> None:
    """Else the fuzzer would learn nothing but the first check of each function."""
    names, done = set(native_calls.exported()), set()
    for seed in range(10):
        world = native_calls.World(native_calls.Random(seed))
        for name in sorted(names - done) * 5:
            with contextlib.suppress(Exception):
                call = native_calls.good_call(world, name)
                if call.by_position:
                    call.target(*call.arguments.values())
                else:
                    call.target(**call.arguments)
                done.add(name)
    assert names - done == set()


def test_a_crash_is_a_finding(tmp_path) -> None:
    """The fuzzer itself: what ends the process is reported with the call, and it goes on."""
    script = tmp_path / "crash.py"
    script.write_text(
        f"import ctypes, sys\nsys.path.insert(0, {str(Path(fuzz.__file__).parent)!r})\n"
        "import fuzz\n"
        "def block(self, first, count):\n"
        "    self.told(first + 7)\n"
        "    first == 1000 and ctypes.string_at(0)\n"
        "fuzz.Fuzzer.block = block\n"
        "sys.exit(fuzz.main())\n"
    )
    found = fuzz.run(seed=0, first=0, calls=3000, only="isa", chunk=3000, script=str(script))
    assert len(found["findings"]) == 1
    assert "call 1007 ended with status -11" in found["findings"][0]


def test_unnamed_arguments_and_other_exceptions_are_findings() -> None:
    call = native_calls.Call(native.metrics, {"offsets": 1})
    assert fuzz.judged(InvalidValueError("offsets: no"), call, []) is None
    assert fuzz.judged(Mischief(), call, []) is None
    assert fuzz.judged(InvalidValueError("no"), call, []) == "names no argument"
    assert fuzz.judged(KeyError("offsets"), call, []) == "not an error of metarec"


# --- what it has found ----------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [2**53 + 1, 2**63 - 1])
def test_more_steps_than_can_be_counted_are_refused(steps: int) -> None:
    tasks = make_tasks()
    learner = make_learner(tasks)
    with pytest.raises(InvalidValueError, match="steps"):
        learner.steps = steps
    learner.steps = 2**53
    assert np.isfinite(learner.step(trainable(tasks)))


@pytest.mark.parametrize("name", ["user_count", "item_count"])
def test_users_and_items_that_cannot_be_are_refused(name: str) -> None:
    good = native_calls.World(native_calls.Random(0)).least_squares_factors().arguments
    with pytest.raises(InvalidValueError, match=name):
        native.least_squares_factors(**(good | {name: 2**40}))


def test_users_without_ratings_take_no_memory() -> None:
    good = native_calls.World(native_calls.Random(0)).least_squares_factors().arguments
    many = native.least_squares_factors(**(good | {"user_count": 2**31 - 1}))
    assert many["mean"] == native.least_squares_factors(**good)["mean"]


@pytest.mark.parametrize(
    ("score", "error"),
    [(1, InvalidTypeError), ("a\0b", InvalidValueError), ("\ud800", InvalidValueError)],
)
def test_a_score_that_is_no_name_is_named(score, error) -> None:
    adapted = make_learner().adapt(**rated())
    with pytest.raises(error, match=r"^score: got"):
        adapted.columns(score)
    with pytest.raises(error, match=r"^score: got"):
        adapted.predict(rated()["catalogue"], int32(0), score)


def test_an_option_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="options: got an empty name"):
        native.Learner({"": 1})


def test_numbers_that_are_no_list_are_refused() -> None:
    released = memoryview(b"12")
    released.release()
    for wrong in (memoryview(np.ones((2, 2))), memoryview(np.ones(())), released, {1, 2}, b"12"):
        with pytest.raises(InvalidTypeError, match=r"^backbone\.hidden: got type .*of numbers"):
            native.Learner({"backbone": "feature_mlp", "backbone.hidden": wrong})
    native.Learner({"backbone": "feature_mlp", "backbone.hidden": memoryview(int64(8, 8))})


def test_what_a_users_own_sequence_raises_comes_through() -> None:
    class Mine(list):
        def __iter__(self):
            raise NotImplementedError("mine")

    with pytest.raises(NotImplementedError, match="mine"):
        native.Learner({"backbone.hidden": Mine([1])})


@pytest.mark.parametrize("epsilon", [0, 1e-31, -1.0, np.inf])
def test_options_are_named_with_what_they_belong_to(epsilon: float) -> None:
    with pytest.raises(InvalidValueError, match=r"^optimizer\.epsilon: .*wanted .* 1e-30"):
        native.Learner({"optimizer": "adam", "optimizer.epsilon": epsilon})


@pytest.mark.parametrize("count", [0, 1, 99])
def test_variances_of_items_fit_the_fields_of_the_items(count: int) -> None:
    good = native_calls.World(native_calls.Random(0)).place_items().arguments
    native.place_items(**good)
    factors = good["factors"] | {"item_variances": np.ones(count)}
    with pytest.raises(InvalidValueError, match=r"^item_variances: .*wanted"):
        native.place_items(**(good | {"factors": factors}))


def test_variances_are_wanted_or_not() -> None:
    good = native_calls.World(native_calls.Random(0)).fold_in().arguments
    for wrong in (np.ones(3), "yes", None):
        with pytest.raises(InvalidTypeError, match=r"^variances: got"):
            native.fold_in(**(good | {"variances": wrong}))
    assert native.fold_in(**(good | {"variances": False}))[1] is None
    assert native.fold_in(**(good | {"variances": True}))[1] is not None


@pytest.mark.parametrize("offset", [-1, 1, 6, 2**62, -(2**63)])
def test_lists_of_items_whose_arrays_have_changed_are_refused(offset: int) -> None:
    offsets = int64(0, 2, 2, 4, 5)
    items, lists = make_items(bag_offsets=offsets), np.array([[0, 1, 2, 3]], np.int32)
    before = native.list_diversity(lists, items)
    offsets[2] = offset
    with pytest.raises(StateError, match="items: its arrays changed"):
        native.list_diversity(lists, items)
    offsets[2] = 2
    np.testing.assert_array_equal(native.list_diversity(lists, items), before)


def test_folding_in_writes_no_more_rows_than_there_were() -> None:
    world = native_calls.World(native_calls.Random(0))
    good = world.fold_in().arguments | {"tasks": world.tasks}
    means, _ = native.fold_in(**good)
    world.arrays["support_counts"][0] -= 1
    with pytest.raises(StateError, match="changed"):
        native.fold_in(**good)
    world.restore()
    np.testing.assert_array_equal(native.fold_in(**good)[0], means)


def test_the_command_says_what_it_did() -> None:
    done = subprocess.run(
        [sys.executable, fuzz.__file__, "--calls", "200", "--only", "isa|metrics"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "200 calls of 2 functions" in done.stdout


def test_an_array_of_nothing_is_no_list_of_fields() -> None:
    # Longer than any memory: found by seed 23, call 372490.
    with pytest.raises(InvalidValueError, match="fields: got 17179869184 elements"):
        native.Features(rows=4, fields=np.zeros((2**34, 0), np.int8))
