"""Whatever is in a table, a data set is made of it or an error of metarec names what is wrong."""

import contextlib
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metarec as mr
from metarec.frames import read_columns

CELLS = st.one_of(
    st.none(),
    st.integers(),
    st.integers(-3, 9),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.sampled_from(["a|b", "", "2020-01-01", "NaN", (1, "x"), frozenset([1]), b"x", 3 + 1j]),
    st.lists(st.one_of(st.floats(), st.text(max_size=2), st.none()), max_size=3),
    st.dates(),
    st.uuids(),
    st.just(np.datetime64("NaT")),
    st.builds(np.float32, st.floats(width=32)),
    st.just({}),
)
COLUMNS = st.one_of(
    st.lists(CELLS, min_size=3, max_size=3),
    st.lists(st.integers(0, 2), min_size=3, max_size=3),
    st.lists(st.floats(), min_size=3, max_size=3),
    st.lists(st.sampled_from("ab"), min_size=3, max_size=3),
    st.sampled_from(
        [np.zeros((3, 2)), np.array([1, 2, 3], "M8[ns]"), np.array(list("abc")), np.ones(3, "u8")]
    ),
)
TABLES = st.dictionaries(st.sampled_from(["user", "item", "rating", "time", "x", 0]), COLUMNS)
SMALL = st.lists(st.integers(0, 3), min_size=3, max_size=3)
STARS = st.one_of(SMALL, st.lists(st.one_of(st.none(), st.floats(0, 9)), min_size=3, max_size=3))
MORE = {"x": COLUMNS, "time": COLUMNS}
RATINGS = st.fixed_dictionaries({"user": SMALL, "item": SMALL, "rating": STARS}, optional=MORE)
THINGS = st.fixed_dictionaries({"id": st.permutations([0, 1, 2])}, optional=MORE)
KINDS = st.sampled_from(
    [
        *("categorical", "bag", "dense", "content", None),
        *(mr.features.standardise(), mr.features.bucketise(3), mr.features.hash(7)),
        mr.features.log() | mr.features.standardise(),
    ]
)
RULES = st.builds(
    mr.Cleaning,
    missing=st.sampled_from(["refuse", "drop"]),
    scale=st.sampled_from([None, (0, 5)]),
    out_of_range=st.sampled_from(["refuse", "drop", "clip"]),
    unknown=st.sampled_from(["keep", "drop", "refuse"]),
    duplicates=st.sampled_from(["keep", "first", "last", "mean", "refuse"]),
    constant_users=st.sampled_from(["keep", "drop"]),
    outliers=st.sampled_from([None, 3.0]),
    noise=st.sampled_from([None, 3.0]),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.one_of(RATINGS, RATINGS, RATINGS, TABLES),
    st.one_of(st.none(), THINGS, THINGS, TABLES),
    st.one_of(st.none(), THINGS, THINGS, TABLES),
    st.one_of(st.none(), st.just("auto"), st.dictionaries(st.sampled_from(["x", "time"]), KINDS)),
    st.one_of(st.none(), RULES),
)
def test_any_table(ratings, users, items, fields, rules):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = mr.Dataset.from_frames(ratings, users, items, fields=fields, clean=rules)
        except mr.MetarecError as error:
            assert str(error)
            return
    assert data.user_ids(data.user).shape == data.rating.shape == data.item.shape
    assert np.isfinite(data.rating).all()
    assert repr(data) and repr(data.schema) and repr(data.cleaning) and data._repr_html_()
    data.tasks()
    for rows in ([], [0] if len(data) else []):
        with contextlib.suppress(mr.MetarecError):  # numbers far beyond those of these rows
            fitted = data.fitted_on(data.view(np.array(rows)))
            assert (fitted.users is None) == (data.users is None)
    again = mr.Dataset.from_state(*data.schema_state())
    assert again.item_ids(np.arange(data.item_count)).tolist() == (
        data.item_ids(np.arange(data.item_count)).tolist()
    )


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(st.sampled_from('ab1.-",;\n\r \t\0é'), max_size=60).map(str.encode),
    )
)
def test_any_file(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            columns = read_columns(path, "t")
        except mr.MetarecError as error:
            assert str(path) in str(error)
            return
    assert len({len(column.values) for column in columns.values()}) == 1


@pytest.mark.parametrize("cell", [[1], {}, np.zeros(2)])
def test_ids_that_have_no_hash_are_refused_by_name(cell):
    ratings = {"user": [1, 2], "item": [cell, cell], "rating": [1, 2]}
    with pytest.raises(mr.MetarecError, match=r"item"):
        mr.Dataset.from_frames(ratings)


def test_a_data_set_and_its_splits_can_be_pickled():
    data = mr.datasets.synthetic(users=60, items=40, seed=0)
    again = pickle.loads(pickle.dumps(data))
    assert again.fingerprint == data.fingerprint and repr(again.schema) == repr(data.schema)
    splits = mr.split.cold_start(data, seed=0)
    again = pickle.loads(pickle.dumps(splits))
    assert again.fingerprint == splits.fingerprint and len(again.train) == len(splits.train)
