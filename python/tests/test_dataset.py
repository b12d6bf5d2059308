"""Data sets from arrays: ids, views, tasks, and what is saved."""

import copy
import json
from datetime import date
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarec.dataset import Dataset
from metarec.errors import InvalidIndexError, InvalidTypeError, InvalidValueError
from metarec.features import Bag, Categorical, Dense, FeatureTable

USER, ITEM, RATING = ["b", "a", "b", "a", "c"], [(1, "x"), 7, 7, (1, "x"), 7], [1, 2, 3, 4, 5]


def described():
    items = FeatureTable(
        {
            "rate": Categorical(np.array([1, 0], np.int32), 2),
            "genre": Bag(np.array([0, 1], np.int32), np.array([0, 2, 2]), 2),
            "plot": Dense(np.ones((2, 3), np.float32)),
        }
    )
    users = FeatureTable({"age": Categorical(np.array([0, 1, 1], np.int32), 2)})
    ids = {"item_ids": [10, 20], "user_ids": ["a", "b", "c"]}
    arrays = (["b", "a", "b"], [20, 10, 10], [1, 2, 3])
    return Dataset.from_arrays(*arrays, items=items, users=users, **ids), items, users


def test_ids_of_any_hashable_type_come_back():
    data = Dataset.from_arrays(USER, ITEM, RATING)
    assert data.user_ids(data.user).tolist() == USER
    assert data.item_ids(data.item).tolist() == ITEM
    assert data.item_codes([7, (1, "x"), 8]).tolist() == [data.item[1], data.item[0], -1]


def test_without_item_features_the_item_itself_is_the_field():
    data = Dataset.from_arrays(USER, ITEM, RATING)
    assert list(data.items.fields) == ["item"]
    assert data.items["item"].ids.tolist() == [0, 1]
    assert data.users is None and data.tasks().user_index is None
    assert data.user_features() is None
    with pytest.raises(InvalidValueError, match=r"no field 'age'; the fields are \[\]"):
        data.user_features({"age": 3})


def test_an_id_named_in_fields_is_a_field_beside_others():
    ratings, items = (
        {"user": [1, 1], "item": [7, 9], "rating": [4, 5]},
        {"item": [7, 8], "g": [1, 2]},
    )
    data = Dataset.from_frames(ratings, items=items, fields={"item": "categorical"})
    assert list(data.items.fields) == ["item", "g"]
    assert data.items["item"].ids.tolist() == [0, 1, -1]
    restored = Dataset.from_state(*data.schema_state())
    assert restored.items["item"].ids.tolist() == [0, 1, -1]


def test_items_of_which_none_is_rated_are_refused():
    ratings, items = {"user": [1], "item": [7], "rating": [4]}, {"item": ["7"], "g": ["a"]}
    with pytest.raises(InvalidValueError, match=r"ratings\['item'\]: .*such as '7', .*such as 7$"):
        Dataset.from_frames(ratings, items=items)
    nothing = {"user": [], "item": [], "rating": []}
    assert len(Dataset.from_frames(nothing, items=items)) == 0


def test_tables_are_borrowed():
    data, items, users = described()
    assert data.items is items and data.users is users
    assert data.item.tolist() == [1, 0, 0] and data.user.tolist() == [1, 0, 1]
    # Without raw values the numbers of the table stand for themselves.
    assert data.user_features({"age": 1})["age"].ids.tolist() == [1]
    assert data.user_features({"age": 2})["age"].ids.tolist() == [-1]


def test_rows_of_values_are_kept_apart():
    users = {"user": [0, 1, 2], "age": [9, 5, 2], "job": [0, 2, 1]}
    ratings = {"user": [0, 1, 2], "item": [0, 0, 1], "rating": [1, 2, 3]}
    kinds = dict.fromkeys(("age", "job"), "categorical")
    data = Dataset.from_frames(ratings, users=users, fields=kinds)
    at = {
        name: {value: int(field.ids[row]) for row, value in enumerate(users[name])}
        for name, field in data.users.fields.items()
    }
    assert at["age"][2] != at["job"][2]
    for _ in range(2):
        row = data.user_features({"age": 2, "job": 1})
        assert [row[name].ids[0] for name in ("age", "job")] == [at["age"][2], at["job"][1]]
        row = data.user_features({"age": 7, "job": 2})
        assert [row[name].ids[0] for name in ("age", "job")] == [-1, at["job"][2]]
        for same in (2.0, np.int32(2)):
            assert data.user_features({"age": same})["age"].ids[0] == at["age"][2]
        for nothing in (None, float("nan")):
            assert data.user_features({"age": nothing, "job": 0})["age"].ids.tolist() == [-1]
        with pytest.raises(InvalidTypeError, match=r"user\['age'\]: expected hashable"):
            data.user_features({"age": [2]})
        with pytest.raises(InvalidValueError, match="no field 'ages'; the fields are"):
            data.user_features({"age": 2, "ages": 2})
    with pytest.raises(ValueError, match="read-only"):
        row["job"].ids[0] = 0
    again = copy.deepcopy(data).user_features({"age": 2, "job": 7})
    for name in ("age", "job"):
        assert not again[name].ids.flags.writeable
    assert not np.shares_memory(again["age"].ids, data.user_features({"age": 2})["age"].ids)


def test_tables_without_ids_are_numbered_by_row():
    _, items, _ = described()
    data = Dataset.from_arrays([0, 0], [1, 0], [1, 2], items=items)
    assert data.items is items and data.item.tolist() == [1, 0]


def test_items_beyond_the_table_are_unknown():
    _, items, _ = described()
    data = Dataset.from_arrays([0, 0], [1, 5], [1, 2], items=items)
    assert data.item.tolist() == [1, 2]
    assert data.items["rate"].ids.tolist() == [1, 0, -1]


def test_repeated_ratings_stay():
    data = Dataset.from_arrays([1, 1, 1], [4, 4, 4], [5, 5, 1])
    assert data.rating.tolist() == [5, 5, 1]


def test_a_view_shares_what_it_can():
    data, items, _ = described()
    for rows in (np.array([True, False, True]), np.array([0, 2])):
        view = data.view(rows)
        assert view.items is items and view.rating.tolist() == [1, 3]
        assert view.item_codes([10]).tolist() == [0] and view.scale == data.scale
    assert len(data.view(np.array([]))) == 0
    with pytest.raises(InvalidIndexError, match=r"rows\[0\]"):
        data.view(np.array([3]))
    with pytest.raises(InvalidValueError, match="rows: expected a mask of 3"):
        data.view(np.array([True]))
    with pytest.raises(InvalidTypeError, match="rows"):
        data.view(np.array([0.5]))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=30), st.integers(1, 4))
def test_tasks_are_each_users_rows_in_order(pairs, low):
    data = Dataset.from_arrays([u for u, _ in pairs], [i for _, i in pairs], range(len(pairs)))
    tasks = data.tasks(min_ratings=low, max_ratings=6)
    groups = [
        [r for r, (v, _) in enumerate(pairs) if v == u] for u in sorted({u for u, _ in pairs})
    ]
    expected = [g for g in groups if low <= len(g) <= 6]
    rows, offsets = tasks.query()
    found = [tasks.targets[rows[a:b]].tolist() for a, b in pairwise(offsets)]
    assert found == expected
    assert tasks.support_rows == 0


def test_unseen_values_are_those_of_no_rated_item_or_user():
    items = {
        "item": [1, 2, 3],
        "a": ["x", "y", None],
        "b": ["p|q", "q|r", "s"],
        "c": [0.0, 1.0, 2.0],
    }
    users = {"user": [1, 2], "age": [18, 25]}
    data = Dataset.from_frames(
        {"user": [1, 1, 2], "item": [1, 3, 2], "rating": [1, 2, 3]}, users, items
    )
    found = data.view(data.user == data.user_codes([1])[0]).unseen_values()
    assert {name: ids.tolist() for name, ids in found["items"].items()} == {"a": [1], "b": [2]}
    assert {name: ids.tolist() for name, ids in found["users"].items()} == {"age": [1]}
    assert all(not len(ids) for part in data.unseen_values().values() for ids in part.values())
    everything = data.view(np.array([])).unseen_values()
    assert everything["items"]["b"].tolist() == [0, 1, 2, 3]


def test_refusals_name_the_argument():
    with pytest.raises(InvalidValueError, match=r"ratings\['user'\].*missing"):
        Dataset.from_arrays([1, None], [1, 2], [1, 2])
    with pytest.raises(InvalidValueError, match=r"ratings\['item'\].*missing"):
        Dataset.from_arrays([1, 2], [1.0, np.nan], [1, 2])
    with pytest.raises(InvalidTypeError, match=r"ratings\['timestamp'\]: expected integers"):
        Dataset.from_arrays([1, 2], [1, 2], [1, 2], timestamp=[0.5, 1.5])
    _, items, _ = described()
    with pytest.raises(InvalidValueError, match="item_ids: expected 2 ids, got 1"):
        Dataset.from_arrays([1], [1], [1], items=items, item_ids=[1])
    with pytest.raises(InvalidValueError, match="item_ids: expected distinct ids, got 1 twice"):
        Dataset.from_arrays([1], [1], [1], items=items, item_ids=[1, 1])
    with pytest.raises(InvalidValueError, match="user_ids: expected together with users"):
        Dataset.from_arrays([1], [1], [1], user_ids=[1])
    with pytest.raises(InvalidTypeError, match="items: expected FeatureTable, got dict"):
        Dataset.from_arrays([1], [1], [1], items={})


def test_the_mapping_is_saved_and_restored():
    items = {"item": ["é", "b"], "genre": ["A|B", "A"], "plot": np.ones((2, 2), np.float32)}
    users = {"user": [(1,), (2,)], "age": [25, 18], "price": [0.5, 1.5]}
    data = Dataset.from_frames({"user": [(1,)], "item": ["b"], "rating": [4]}, users, items)
    arrays, state = data.schema_state()
    assert all(array.flags.c_contiguous for array in arrays.values())
    restored = Dataset.from_state(arrays, json.loads(json.dumps(state)))
    assert restored.item_codes(["b", "é", "?"]).tolist() == [1, 0, -1]
    assert restored.items["genre"].ids.tolist() == data.items["genre"].ids.tolist()
    assert restored.items["plot"].vectors.tolist() == data.items["plot"].vectors.tolist()
    assert (len(restored), restored.users.rows, restored.scale) == (0, 0, (4, 4))
    assert [f.size for f in restored.users.fields.values()] == [2, 1]
    assert restored.user_features({"age": 25})["age"].ids.tolist() == [1]
    assert len(restored.tasks()) == 0


UNKEPT = object()


def test_ids_that_no_file_can_hold_are_kept_in_memory():
    arrays, state = Dataset.from_arrays([1], [UNKEPT], [3]).schema_state()
    assert arrays["item.ids.values"].dtype == object
    assert Dataset.from_state(arrays, state).item_codes([UNKEPT, (2, 1)]).tolist() == [0, -1]


IDS = {
    "int": [7, -1, 7],
    "str": ["007", "x", "007"],
    "tuple": [("a", 1), ("a", 2), ("a", 1)],
    "uuid": [UUID(int=1), UUID(int=2), UUID(int=1)],
    "date": [date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 1)],
    "bytes": [b"a", b"b", b"a"],
    "mixed": [1, "1", 1],
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_of_every_kind_come_back_from_recommendations_and_files(kind, tmp_path):
    import metarec as mr

    ids = IDS[kind]
    data = Dataset.from_frames({"user": ids, "item": ids, "rating": [1, 2, 3]})
    assert data.user_ids(data.user).tolist() == ids
    model = mr.MeLU(epochs=1, seed=0).fit(data)
    model.save(tmp_path / "m.metarec")
    for each in (model, mr.load(tmp_path / "m.metarec"), copy.deepcopy(model)):
        (item,) = each.adapt([ids[0]], [5]).recommend(k=5).items.tolist()
        assert item == ids[1] and type(item) is type(ids[1])


@pytest.mark.parametrize("role", ["user", "item"])
def test_ids_that_cannot_be_are_refused_by_name(role):
    ratings = {"user": [1, 2], "item": [3, 4], "rating": [5, 5]}
    for bad in ([[1], [2]], [{"a": 1}, {"a": 2}]):
        with pytest.raises(InvalidTypeError, match=rf"{role}.*: expected hashable values"):
            Dataset.from_frames(ratings | {role: bad})
    for bad in ([1, None], [1.5, float("nan")], ["a", float("nan")]):
        with pytest.raises(InvalidValueError, match=rf"ratings\['{role}'\]: .*missing.*row 1"):
            Dataset.from_frames(ratings | {role: bad})


def test_an_empty_data_set():
    data = Dataset.from_arrays([], [], [])
    assert len(data) == 0 and len(data.tasks()) == 0
    assert "0 ratings" in repr(data)


def test_shown():
    data, _, _ = described()
    assert repr(data) == (
        "Dataset(3 ratings from 1 to 3, 2 users, 2 items; users: age categorical 2; "
        "items: rate categorical 2, genre bag 2, plot dense 3)"
    )
    assert "genre bag 2" in data._repr_html_()


def test_items_known_by_their_id_alone_are_saved_once():
    data = Dataset.from_arrays([1, 1], ["b", "a"], [3, 4])
    arrays, state = data.schema_state()
    restored = Dataset.from_state(arrays, json.loads(json.dumps(state)))
    assert [name for name in arrays if name.startswith("item.") and "utf8" in name] == [
        "item.ids.utf8"
    ]
    assert restored.item_codes(["a"]).tolist() == [1]
    assert restored.items["item"].ids.tolist() == [0, 1]
