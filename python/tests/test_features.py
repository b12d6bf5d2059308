"""Feature tables: what is borrowed as it is, and what is refused."""

import pickle
import re

import numpy as np
import pytest

from metarec.errors import InvalidIndexError, InvalidTypeError, InvalidValueError
from metarec.features import Bag, Categorical, Dense, FeatureTable


def int32(*values):
    return np.array(values, np.int32)


def table():
    return FeatureTable(
        {
            "rate": Categorical(int32(2, -1, 0), size=3),
            "genre": Bag(int32(0, 1, 1), np.array([0, 2, 2, 3]), size=2),
            "plot": Dense(np.arange(6, dtype=np.float32).reshape(3, 2)),
        }
    )


def test_arrays_are_borrowed_even_when_read_only():
    ids = int32(0, 1)
    ids.flags.writeable = False
    field = FeatureTable({"a": Categorical(ids, size=2)})["a"]
    assert field.ids is ids


def test_fields_keep_their_order():
    assert list(table().fields) == ["rate", "genre", "plot"]
    assert table().rows == 3


@pytest.mark.parametrize(
    ("field", "error", "message"),
    [
        (Categorical([0, 1], 2), InvalidTypeError, "ids: got type list; wanted .* of int32"),
        (Categorical(None, 2), InvalidTypeError, "ids: got type NoneType"),
        (Categorical(np.array(1, np.int32), 2), InvalidValueError, r"ids: .* shape \(\)"),
        (Categorical(np.array([0, 1]), 2), InvalidTypeError, "got .* int64.* wanted .* int32"),
        (Categorical(int32(0, 1).astype(">i4"), 2), InvalidTypeError, "got .* >i4"),
        (Categorical(int32(0, 1, 0, 1)[::2], 2), InvalidTypeError, "strides .* C-contiguous"),
        (Categorical(np.ma.array(int32(0, 1)), 2), InvalidTypeError, "MaskedArray"),
        (Categorical(np.zeros((2, 1), np.int32), 2), InvalidValueError, r"shape \(2, 1\)"),
        (Categorical(int32(0, 2), 2), InvalidIndexError, r"ids\[1\] = 2: outside -1 ..< 2"),
        (Categorical(int32(-2), 2), InvalidIndexError, "= -2"),
        (Categorical(int32(0), 0), InvalidIndexError, "= 0"),
        (Categorical(int32(0), 1.0), InvalidTypeError, "size: .* wanted an integer"),
        (Categorical(int32(0), -1), InvalidValueError, "size: got -1"),
        (Bag(int32(0), int32(0, 1), 1), InvalidTypeError, r"offsets: got .*int32.*int64"),
        (Bag(int32(0), np.array([0, 2]), 1), InvalidValueError, r"offsets\[1\] = 2, wanted 1"),
        (Bag(int32(0, 0), np.array([0, 2, 1, 2]), 1), InvalidValueError, r"offsets\[2\] = 1, less"),
        (Bag(int32(0), np.array([1, 1]), 1), InvalidValueError, r"offsets\[0\] = 1, wanted 0"),
        (Bag(int32(), np.array([], np.int64), 1), InvalidValueError, r"offsets: got .* \(0,\)"),
        (Bag(int32(), None, 1), InvalidTypeError, "offsets: got type NoneType"),
        (Dense(np.zeros(3, np.float32)), InvalidValueError, r"vectors: .* shape \(3,\)"),
        (Dense([[0.5]]), InvalidTypeError, "vectors: got type list"),
        (Dense(np.zeros((3, 2), np.float16)), InvalidTypeError, "float16"),
        (Dense(np.zeros((3, 2), np.float32).T), InvalidTypeError, "wanted a C-contiguous"),
        (Dense(np.zeros((3, 0), np.float32)), InvalidValueError, "size 0, wanted 1"),
        (Dense(np.array([[0, np.nan]])), InvalidValueError, r"vectors\[0, 1\] = nan"),
        (Dense(np.array([[-np.inf]])), InvalidValueError, "-inf"),
        (int32(0), InvalidTypeError, "expected Categorical, Bag or Dense"),
    ],
)
def test_a_wrong_field_is_refused_by_name(field, error, message):
    with pytest.raises(error, match=message) as caught:
        FeatureTable({"f": field})
    assert re.match(r"""fields?[ \[]['"]f['"]""", str(caught.value))


def test_unequal_rows_and_no_fields_are_refused():
    with pytest.raises(InvalidValueError, match=r"'b': ids: got .* \(2,\).*\[rows\] = \(1,\)"):
        FeatureTable({"a": Categorical(int32(0), 1), "b": Categorical(int32(0, 0), 1)})
    with pytest.raises(InvalidValueError, match="at least one field"):
        FeatureTable({})
    with pytest.raises(InvalidTypeError, match="mapping"):
        FeatureTable([("a", Categorical(int32(0), 1))])


def test_take_gathers_rows_and_minus_one_is_unknown():
    taken = table().take([2, -1, 0, 2])
    assert taken["rate"].ids.tolist() == [0, -1, 2, 0]
    assert taken["genre"].offsets.tolist() == [0, 1, 1, 3, 4]
    assert taken["genre"].ids.tolist() == [1, 0, 1, 1]
    assert taken["plot"].vectors.tolist() == [[4, 5], [0, 0], [0, 1], [4, 5]]


def test_take_nothing_keeps_the_fields_and_their_sizes():
    empty = table().take([])
    assert empty.rows == 0
    assert [f.size for f in empty.fields.values()] == [3, 2, 2]
    assert empty["plot"].vectors.dtype == np.float32
    assert empty.take([-1]).rows == 1


def test_take_outside_is_refused():
    with pytest.raises(InvalidIndexError, match="rows"):
        table().take([3])


def test_shown_and_pickled():
    assert repr(table()) == "FeatureTable(3 rows; rate: categorical 3, genre: bag 2, plot: dense 2)"
    html = FeatureTable({"<b>": Categorical(int32(0), 1)})._repr_html_()
    assert "&lt;b&gt;" in html and "<b>" not in html
    assert pickle.loads(pickle.dumps(table()))["rate"].ids.tolist() == [2, -1, 0]


def test_a_row_is_the_same_memory():
    features = table()
    row = features.row(1)
    assert row["rate"].ids.tolist() == [-1]
    assert row["genre"].ids.tolist() == [] and row["genre"].offsets.tolist() == [0, 0]
    assert np.shares_memory(row["plot"].vectors, features["plot"].vectors)
    assert features.row(2)["genre"].ids.tolist() == [1]


def test_native_handle_is_made_once():
    features = table()
    assert features.native is features.native
