"""Frames of every kind give the same data set."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError

RATINGS = {
    "user": ["ann", "ann", "bob", "cy"],
    "item": [6, 858, 6, 7],
    "rating": [5.0, 4.0, 3.0, 2.0],
    "at": [40, 30, 20, 10],
}
USERS = {
    "user": ["bob", "ann", "dan"],
    "age": [25, 18, 25],
    "job": ["clerk", None, ""],
    "height": [1.5, None, 2.0],
    "student": [True, False, True],
}
ITEMS = {
    "item": [858, 6, 9],
    "genre": ["Crime|Drama", "Drama", None],
    "tags": [["x", "y"], [], ["y", None]],
    "plot": [[1.0, 2.0], [3.0, 4.0], None],
    "title": ["Godfather", "Heat", "x"],
}
KINDS = {"dict": dict, "pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@pytest.fixture(params=KINDS)
def frame(request):
    return KINDS[request.param]


@pytest.fixture
def data(frame):
    tables = frame(RATINGS), frame(USERS), frame(ITEMS)
    return Dataset.from_frames(*tables, timestamp="at", fields={"title": None})


def test_ratings(data):
    # Codes follow the frames; those that occur in the ratings alone come behind.
    assert data.user_ids(data.user).tolist() == RATINGS["user"]
    assert data.item_ids(data.item).tolist() == RATINGS["item"]
    assert data.user.tolist() == [1, 1, 0, 3] and data.item.tolist() == [1, 0, 1, 3]
    assert data.user.dtype == data.item.dtype == np.int32
    assert data.rating.tolist() == [5, 4, 3, 2] and data.rating.dtype == np.float32
    assert data.timestamp.tolist() == [40, 30, 20, 10] and data.timestamp.dtype == np.int64
    assert data.scale == (2, 5)


def test_user_fields(data):
    fields = data.users.fields
    assert {name: f.kind for name, f in fields.items()} == {
        "age": "categorical",
        "job": "categorical",
        "height": "dense",
        "student": "categorical",
    }
    assert fields["age"].ids.tolist() == [1, 0, 1, -1] and fields["age"].size == 2
    assert fields["job"].ids.tolist() == [0, -1, 1, -1]
    assert fields["height"].vectors.tolist() == [[1.5], [0], [2], [0]]
    assert fields["student"].ids.tolist() == [1, 0, 1, -1]


def test_item_fields(data):
    fields = data.items.fields
    assert list(fields) == ["genre", "tags", "plot"]
    assert fields["genre"].kind == fields["tags"].kind == "bag"
    assert fields["genre"].ids.tolist() == [0, 1, 1]
    assert fields["genre"].offsets.tolist() == [0, 2, 3, 3, 3]
    assert fields["tags"].ids.tolist() == [0, 1, 1]
    assert fields["tags"].offsets.tolist() == [0, 2, 2, 3, 3]
    assert fields["plot"].vectors.tolist() == [[1, 2], [3, 4], [0, 0], [0, 0]]


def test_columns_are_kept_aside(data):
    assert data.item_columns["title"].tolist() == ["Godfather", "Heat", "x", None]
    assert data.item_columns["item"].tolist() == [858, 6, 9, 7]
    np.testing.assert_array_equal(data.user_columns["height"], [1.5, np.nan, 2, np.nan])


def test_raw_values_of_a_new_user(data):
    row = data.user_features({"age": 25, "job": "clerk", "height": 1.8})
    assert row.rows == 1
    assert row["age"].ids.tolist() == [1] and row["job"].ids.tolist() == [0]
    assert row["height"].vectors == pytest.approx(1.8)
    assert row["student"].ids.tolist() == [-1]
    assert data.user_features({"age": 99, "job": None})["age"].ids.tolist() == [-1]
    assert data.user_features("ann")["age"].ids.tolist() == [0]
    assert data.user_features()["age"].ids.tolist() == [-1]
    with pytest.raises(InvalidValueError, match=r"no field 'sex'; .*'age', 'job'"):
        data.user_features({"sex": "F"})
    with pytest.raises(InvalidValueError, match="no user 'eve'"):
        data.user_features("eve")


def test_overridden_kinds(frame):
    kinds = {"genre": "categorical", "age": "dense", "height": "categorical", "title": "bag"}
    data = Dataset.from_frames(frame(RATINGS), frame(USERS), frame(ITEMS), fields=kinds)
    assert data.items["genre"].ids.tolist() == [0, 1, -1, -1]
    assert data.users["age"].vectors.tolist() == [[25], [18], [25], [0]]
    assert data.users["height"].ids.tolist() == [0, -1, 1, -1]
    assert data.items["title"].offsets.tolist() == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("column", ["user", "item", "rating", "at"])
def test_missing_ids_and_ratings_are_refused_by_name(frame, column):
    ratings = {name: list(values) for name, values in RATINGS.items()}
    ratings[column][2] = None
    with pytest.raises(InvalidValueError, match=rf"ratings\['{column}'\].*missing.*row 2"):
        Dataset.from_frames(frame(ratings), timestamp="at")


def test_an_id_twice_in_a_frame_is_refused(frame):
    with pytest.raises(InvalidValueError, match=r"items\['item'\]: .* got 6 twice"):
        Dataset.from_frames(frame(RATINGS), items=frame({"item": [6, 6], "a": [1, 2]}))


def test_missing_columns_and_unknown_kinds_are_refused(frame):
    with pytest.raises(InvalidValueError, match=r"ratings: expected a column 'who', got \['user'"):
        Dataset.from_frames(frame(RATINGS), user="who")
    with pytest.raises(InvalidValueError, match="users: expected a column 'user'"):
        Dataset.from_frames(frame(RATINGS), frame({"age": [1]}))
    with pytest.raises(InvalidValueError, match=r"fields\['age'\]: expected one of"):
        Dataset.from_frames(frame(RATINGS), frame(USERS), fields={"age": "number"})
    with pytest.raises(InvalidValueError, match="fields: no column 'agee'"):
        Dataset.from_frames(frame(RATINGS), frame(USERS), fields={"agee": "bag"})


def test_ratings_must_be_numbers(frame):
    with pytest.raises(InvalidTypeError, match=r"ratings\['rating'\]: expected numbers"):
        Dataset.from_frames(frame(RATINGS | {"rating": ["a", "b", "c", "d"]}))
    with pytest.raises(InvalidValueError, match=r"ratings\['rating'\].*inf"):
        Dataset.from_frames(frame(RATINGS | {"rating": [1.0, np.inf, 2.0, 3.0]}))


def test_vectors_of_different_lengths_are_refused(frame):
    items = {"item": [1, 2], "plot": [[1.0], [1.0, 2.0]]}
    with pytest.raises(InvalidValueError, match=r"items\['plot'\]: .*one length"):
        Dataset.from_frames(frame(RATINGS), items=frame(items))


def test_integers_with_missing_values_stay_integers():
    frame = pl.DataFrame({"user": ["ann", "bob"], "age": [25, None]})
    for users in (frame, frame.to_arrow(), frame.to_pandas().convert_dtypes()):
        data = Dataset.from_frames(RATINGS, users)
        assert data.users["age"].kind == "categorical"
        assert data.users["age"].ids.tolist() == [0, -1, -1]
        assert data.user_features({"age": 25})["age"].ids.tolist() == [0]


def test_categories_lists_of_integers_and_dates():
    items = pl.DataFrame(
        {"item": [6, 858], "studio": ["a", None], "cast": [[3, 5], [5]], "out": [[1], [2]]},
        schema_overrides={"studio": pl.Categorical},
    ).with_columns(out=pl.Series([1, 2]).cast(pl.Date))
    data = Dataset.from_frames(RATINGS, items=items)
    assert data.items["studio"].ids.tolist() == [0, -1, -1]
    assert data.items["cast"].ids.tolist() == [0, 1, 1]
    assert "out" not in data.items.fields and "out" in data.item_columns
    cats = pd.DataFrame({"item": [6, 858], "studio": pd.Categorical(["a", None])})
    assert Dataset.from_frames(RATINGS, items=cats).items["studio"].ids.tolist() == [0, -1, -1]


def test_whole_floats_made_categorical_are_found_by_their_integers():
    users = pd.DataFrame({"user": ["ann", "bob"], "age": [25, None]})
    data = Dataset.from_frames(RATINGS, users, fields={"age": "categorical"})
    assert data.users["age"].ids.tolist() == [0, -1, -1]
    assert data.user_features({"age": 25})["age"].ids.tolist() == [0]


def test_integers_with_none_in_a_list_stay_integers():
    data = Dataset.from_frames(RATINGS, {"user": ["ann", "bob"], "age": [25, None]})
    assert data.users["age"].kind == "categorical" and data.users["age"].ids.tolist() == [0, -1, -1]


def test_what_a_frame_library_refuses_is_told_in_our_words():
    twice = pd.DataFrame([[1, 1, 2, 3]], columns=["user", "user", "item", "rating"])
    with pytest.raises(InvalidValueError, match="ratings: Expected unique column names"):
        Dataset.from_frames(twice)
    with pytest.raises(InvalidTypeError, match=r"items\['big'\]: cannot read Int128"):
        Dataset.from_frames(RATINGS, items=pl.DataFrame({"item": [6, 7], "big": [2**70, 1]}))


def test_columns_need_not_be_named_by_strings():
    data = Dataset.from_frames(pd.DataFrame([[1, 2, 3]]), user=0, item=1, rating=2)
    assert data.item_ids(data.item).tolist() == [2]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("x", InvalidTypeError, r"user\['height'\]: expected 1 number\(s\), got 'x'"),
        ([1.0, 2.0], InvalidValueError, r"user\['height'\]: expected 1 number\(s\)"),
        (np.inf, InvalidValueError, "height.*finite number, got inf"),
    ],
)
def test_a_wrong_number_of_a_new_user_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        Dataset.from_frames(RATINGS, USERS).user_features({"height": value})


def test_masked_arrays_are_missing_where_masked():
    items = {"item": [6, 858, 7], "studio": np.ma.array([3, 4, 3], mask=[False, True, False])}
    data = Dataset.from_frames(RATINGS, items=items)
    assert data.items["studio"].ids.tolist() == [0, -1, 0]


def test_vectors_of_fixed_width():
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    items = pl.DataFrame({"item": [6, 858, 7], "plot": vectors})
    for frame in (items, items.to_arrow(), {"item": [6, 858, 7], "plot": vectors}):
        plot = Dataset.from_frames(RATINGS, items=frame).items["plot"].vectors
        assert plot.dtype == np.float32
        np.testing.assert_array_equal(plot, vectors)


def test_a_dense_array_is_borrowed_when_every_item_is_described():
    vectors = np.arange(6, dtype=np.float64).reshape(3, 2)
    data = Dataset.from_frames(RATINGS, items={"item": [6, 858, 7], "plot": vectors})
    assert np.shares_memory(data.items["plot"].vectors, vectors)


def test_datetimes_order_as_they_should():
    at = pd.to_datetime(["2020-01-02", "2020-01-01", "2021-01-01", "1999-01-01"])
    for frame in (pd.DataFrame(RATINGS | {"at": at}), pl.DataFrame(RATINGS | {"at": list(at)})):
        data = Dataset.from_frames(frame, timestamp="at")
        assert np.argsort(data.timestamp).tolist() == [3, 1, 0, 2]


def test_a_lazy_frame_is_collected():
    assert len(Dataset.from_frames(pl.DataFrame(RATINGS).lazy())) == 4


def test_a_duckdb_relation_is_read():
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        ratings, items = pl.DataFrame(RATINGS), pl.DataFrame(ITEMS)
        connection.register("ratings", ratings.to_arrow())
        connection.register("items", items.to_arrow())
        tables = connection.sql("from ratings"), connection.sql("select item, genre from items")
        data = Dataset.from_frames(tables[0], items=tables[1], timestamp="at")
    assert data.user_ids(data.user).tolist() == RATINGS["user"]
    assert data.items["genre"].kind == "bag" and data.timestamp.tolist() == RATINGS["at"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_give_what_frames_give(tmp_path, ending):
    items = {name: ITEMS[name] for name in ("item", "genre", "title")}
    paths = []
    for name, table in (("ratings", RATINGS), ("users", USERS), ("items", items)):
        paths.append(tmp_path / f"{name}.{ending}")
        getattr(pl.DataFrame(table), f"write_{ending}")(paths[-1])
    files = Dataset.from_frames(*map(str, paths), timestamp="at")
    users = USERS | ({"job": ["clerk", None, None]} if ending == "csv" else {})
    frames = Dataset.from_frames(RATINGS, users, items, timestamp="at")
    assert files.fingerprint == frames.fingerprint


def test_something_else_is_refused():
    with pytest.raises(InvalidTypeError, match="ratings: expected a table of pandas, polars"):
        Dataset.from_frames([1, 2, 3])
    with pytest.raises(InvalidValueError, match="ratings: expected columns of one length"):
        Dataset.from_frames({"user": [1], "item": [1, 2], "rating": [1]})


def test_frame_libraries_are_not_needed():
    import subprocess

    code = (
        "import sys; sys.modules.update(pandas=None, polars=None, pyarrow=None)\n"
        "from metarec.dataset import Dataset\n"
        "print(Dataset.from_frames({'user': [1], 'item': ['a'], 'rating': [5]}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.startswith("Dataset(1 ratings")
