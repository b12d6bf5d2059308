"""Vocabularies: any hashable value has a number and comes back as it was."""

import json
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metarec.errors import InvalidIndexError, InvalidTypeError, InvalidValueError
from metarec.vocabulary import Vocabulary

HASHABLE = st.one_of(
    st.integers(), st.text(), st.tuples(st.integers(), st.text()), st.frozensets(st.integers())
)


@given(st.one_of(st.lists(HASHABLE), st.lists(st.integers(-5, 5))))
def test_every_value_comes_back(values):
    vocabulary, codes = Vocabulary.of(values, "ids")
    assert codes.dtype == np.int32
    assert vocabulary.decode(codes).tolist() == values
    assert len(vocabulary) == len(set(values))
    assert vocabulary.encode(values).tolist() == codes.tolist()
    assert vocabulary.first_duplicate() is None


SIMPLE = st.one_of(
    *(st.integers(), st.text(), st.binary(), st.uuids(), st.dates(), st.datetimes(), st.times()),
    *(st.timedeltas(), st.decimals(allow_nan=False), st.fractions(), st.floats(allow_nan=False)),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=2)))),
)
SAVED = st.recursive(
    SIMPLE, lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner)), max_leaves=5
)


@given(
    st.one_of(
        st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.text()), st.lists(SAVED, max_size=8)
    )
)
def test_saved_and_restored(values):
    vocabulary, codes = Vocabulary.of(values, "ids")
    arrays, kind = vocabulary.state("ids")
    assert all(array.dtype != object for array in arrays.values())
    restored = Vocabulary.from_state(arrays, "ids", kind)
    assert restored.encode(values).tolist() == codes.tolist()
    assert restored.decode(codes).tolist() == values


@pytest.mark.parametrize(
    "value",
    [
        *({"eval": "1"}, {"UUID": "no"}, {"date": 5}, {"tuple": 1}, [1], {}),
        {"UUID": "", "date": ""},
        *({"datetime64": value} for value in (1, [], [1, "no", 1], [2**70, "ns", 1], [1, "ns", 0])),
        *({"datetime64": [value, "ns", 1]} for value in (None, True, "2020", -(2**63))),
        {"timedelta64": [1, "generic", 1]},
    ],
)
def test_what_no_value_is_written_as_is_refused(value):
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    arrays = {"ids.utf8": text, "ids.offsets": np.array([0, len(text)])}
    with pytest.raises(InvalidValueError):
        Vocabulary.from_state(arrays, "ids", "json")


def test_dates_of_numpy_are_those_of_python():
    for unit in ("D", "s", "ns"):
        given = np.array(["2020-01-31", "1999-12-31"], f"datetime64[{unit}]")
        vocabulary, codes = Vocabulary.of(given, "ids")
        kind = date if unit == "D" else datetime
        assert vocabulary.decode(codes).tolist() == [kind(2020, 1, 31), kind(1999, 12, 31)]
    fine = np.array(["2020-01-31T00:00:00.000000001", "2020-01-31"], "datetime64[ns]")
    vocabulary, codes = Vocabulary.of(fine, "ids")
    assert len(vocabulary) == 2 and vocabulary.decode(codes).tolist() == list(fine)
    # A file keeps what Python's own are too coarse for.
    values = [*fine, np.timedelta64(7, "ns"), (np.datetime64(5, "25ps"), 1)]
    vocabulary, codes = Vocabulary.of(values, "ids")
    arrays, kind = vocabulary.state("ids")
    restored = Vocabulary.from_state(arrays, "ids", kind).decode(codes).tolist()
    assert restored == values and list(map(type, restored)) == list(map(type, values))


def test_unknown_values_are_minus_one():
    vocabulary, _ = Vocabulary.of([30, 10, 20], "ids")
    assert vocabulary.encode([20, 25, 5, 99]).tolist() == [1, -1, -1, -1]
    assert vocabulary.encode(["20", None, 20.0, 20.5]).tolist() == [-1, -1, 1, -1]
    assert Vocabulary([]).encode([1, 2]).tolist() == [-1, -1]


INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.one_of(INT64, st.integers(-20, 20)), unique=True), st.lists(INT64))
@example([-(2**63) + 1, -(2**63)], [0])
@example([-(2**63) + 2, -(2**63) + 1], [0])
@example([2**63 - 1, 2**63 - 3], [-(2**63)])
def test_integers_are_found_with_and_without_gaps(values, others):
    vocabulary = Vocabulary(values)
    places = {value: place for place, value in enumerate(values)}
    near = [min(max(value + step, -(2**63)), 2**63 - 1) for value in values for step in (-1, 1)]
    for wanted in (values, others, near, [-(2**63), 2**63 - 1]):
        expected = [places.get(value, -1) for value in wanted]
        assert vocabulary.encode(wanted).tolist() == expected
        assert [vocabulary.place(value) for value in wanted] == expected


def test_one_value_is_found_as_many_are():
    for vocabulary in (Vocabulary([30, 10]), Vocabulary(range(10_000)), Vocabulary(["a", (1, 2)])):
        for value in (30, 10, 10.0, True, np.int64(30), "a", (1, 2), None, 2**70, -1):
            boxed = np.empty(1, object)
            boxed[0] = value
            assert vocabulary.place(value) == vocabulary.encode(boxed)[0]
        with pytest.raises(InvalidTypeError, match="age: expected hashable"):
            vocabulary.place([1], "age")


def test_one_and_the_string_one_differ():
    _, codes = Vocabulary.of([1, "1", 1], "ids")
    assert codes.tolist() == [0, 1, 0]


def test_numbers_beyond_int64_are_kept():
    assert Vocabulary.of([2**70, 1], "ids")[0].decode([0]).tolist() == [2**70]
    assert Vocabulary(np.array([2**64 - 1], np.uint64)).decode([0]).tolist() == [2**64 - 1]


def test_duplicates_are_found():
    assert Vocabulary([3, 1, 3]).first_duplicate() == 3
    assert Vocabulary(["a", "b", "b"]).first_duplicate() == "b"


UNKEPT = object()


@pytest.mark.parametrize("values", [[UNKEPT], [1, UNKEPT], [None, (UNKEPT, 2.5)]])
def test_values_of_any_type_are_kept_in_memory(values):
    arrays, kind = Vocabulary(values).state("ids")
    assert kind == "object" and arrays["ids.values"].dtype == object
    assert Vocabulary.from_state(arrays, "ids", kind).values.tolist() == values
    with pytest.raises(InvalidTypeError, match="ids: expected a C-contiguous object array"):
        Vocabulary.from_state({"ids.values": np.arange(3)}, "ids", kind)


def test_refusals_name_the_argument():
    with pytest.raises(InvalidTypeError, match="ids: expected hashable"):
        Vocabulary.of([[1], [2]], "ids")
    with pytest.raises(InvalidIndexError, match="codes"):
        Vocabulary([1]).decode([1])
    with pytest.raises(InvalidTypeError, match="ids: expected a sequence, got str"):
        Vocabulary("abc", "ids")
