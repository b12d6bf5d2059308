"""Transforms: what they compute, that they are fitted on training alone, and what is saved."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import metarec as mr
from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import bucketise, log, standardise
from metarec.frames import as_column
from metarec.transforms import from_state, to_state

hashed = mr.features.hash


def people(ages, field, ratings=None):
    count = len(ages)
    users = {"user": list(range(count)), "age": ages}
    table = ratings or {"user": list(range(count)), "item": [7] * count, "rating": [3] * count}
    return Dataset.from_frames(table, users, fields={"age": field})


def test_standardise():
    data = people([10.0, 20.0, None, 30.0], standardise())
    deviation = np.sqrt(200 / 3)
    wanted = [-10 / deviation, 0, 0, 10 / deviation]
    np.testing.assert_allclose(data.users["age"].vectors[:, 0], wanted, rtol=1e-6)
    assert data.users["age"].vectors.dtype == np.float32
    row = data.user_features({"age": 40})["age"].vectors
    np.testing.assert_allclose(row, [[20 / deviation]], rtol=1e-6)
    assert data.user_features({})["age"].vectors.tolist() == [[0]]
    assert data.user_features({"age": None})["age"].vectors.tolist() == [[0]]


def test_a_constant_and_nothing_become_zero():
    constant = people([0.1, 0.1, 0.1], standardise()).users["age"].vectors
    np.testing.assert_allclose(constant, 0, atol=1e-12)
    assert people([None, None], standardise()).users["age"].vectors.tolist() == [[0]] * 2
    assert people([None, None], bucketise(3)).users["age"].ids.tolist() == [-1, -1]


def test_vectors_are_standardised_column_by_column():
    data = people([[1.0, 10.0], [3.0, 10.0], None], standardise())
    assert data.users["age"].vectors.tolist() == [[-1, 0], [1, 0], [0, 0]]
    assert data.user_features({"age": [5, 11]})["age"].vectors.tolist() == [[3, 1]]
    with pytest.raises(InvalidValueError, match=r"user\['age'\]: expected 2 number"):
        data.user_features({"age": 3})


def test_log_and_chains():
    data = people([0, 9, 99], log())
    np.testing.assert_allclose(data.users["age"].vectors[:, 0], np.log([1, 10, 100]), rtol=1e-6)
    data = people([0, 9, 99], log() | standardise())
    side = np.sqrt(1.5)
    np.testing.assert_allclose(data.users["age"].vectors[:, 0], [-side, 0, side], atol=1e-6)
    assert people([0, 9, 99, 999], log() | bucketise(2)).users["age"].ids.tolist() == [0, 1, 1, 1]
    with pytest.raises(InvalidValueError, match=r"users\['age'\]: log expects .* at least 0.*-1"):
        people([0, -1], log())
    with pytest.raises(InvalidTypeError, match="nothing can follow bucketise"):
        bucketise(3) | standardise()
    with pytest.raises(InvalidTypeError, match=r"hash\(8\) takes no part in a chain"):
        log() | hashed(8)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=60), st.integers(2, 8))
def test_buckets_are_ordered_and_not_many(values, buckets):
    ids = people(values, bucketise(buckets)).users["age"].ids
    field = people(values, bucketise(buckets)).users["age"]
    assert field.size <= buckets and ids.min() == 0 and ids.max() == field.size - 1
    order = np.argsort(values, kind="stable")
    assert (np.diff(ids[order]) >= 0).all()
    for value in set(values):  # equal numbers are together
        assert len({int(i) for i, v in zip(ids, values, strict=True) if v == value}) == 1


def test_buckets_of_equal_shares_and_of_given_edges():
    data = people(list(range(100)), bucketise(4))
    assert np.bincount(data.users["age"].ids).tolist() == pytest.approx([25] * 4, abs=1)
    data = people([17, 18, 34, 35, None], bucketise(edges=[18, 35]))
    assert data.users["age"].ids.tolist() == [0, 1, 1, 2, -1] and data.users["age"].size == 3
    for bad in ([], [2, 1], [1, 1], [1, np.nan], [[1]]):
        if bad:
            with pytest.raises(InvalidValueError, match="edges: expected ascending"):
                bucketise(edges=bad)
    with pytest.raises(InvalidValueError, match="buckets: expected at least 2"):
        bucketise(1)


def test_hashes_take_any_value_and_are_the_same_everywhere():
    data = people(["Oslo", "Rome", None, "Oslo"], hashed(1000))
    ids = data.users["age"].ids
    assert ids[0] == ids[3] and ids[0] != ids[1] and ids[2] == -1
    assert ids[0] == 719 and data.users["age"].size == 1000  # not of this process alone
    new = data.user_features({"age": "Bonn"})["age"].ids
    assert 0 <= new[0] < 1000
    assert data.user_features({"age": "Rome"})["age"].ids[0] == ids[1]
    assert (
        people([1, 2, None], hashed(99)).user_features({"age": 2})["age"].ids
        == (people([1, 2, None], hashed(99)).users["age"].ids[1])
    )
    assert people(["a", "b"], hashed(10**6, seed=1)).users["age"].ids.tolist() != (
        people(["a", "b"], hashed(10**6)).users["age"].ids.tolist()
    )


def test_bags_are_hashed_value_by_value():
    data = people(["a|b", "b", None], hashed(10**6))
    field = data.users["age"]
    assert field.kind == "bag" and field.offsets.tolist() == [0, 2, 3, 3]
    assert field.ids[1] == field.ids[2]
    for value in ("b|new", ["b", "new"], "b"):
        row = data.user_features({"age": value})["age"]
        assert row.kind == "bag" and row.ids[0] == field.ids[1]


def test_what_is_no_number_is_refused_by_name():
    with pytest.raises(InvalidValueError, match=r"users\['age'\]: expected numbers"):
        people(["a", "b"], standardise())
    data = people([1.0, 2.0], standardise())
    with pytest.raises(InvalidValueError, match=r"user\['age'\]"):
        data.user_features({"age": "young"})
    with pytest.raises(InvalidValueError, match=r"finite"):
        data.user_features({"age": np.inf})
    with pytest.raises(InvalidValueError, match=r"fields\['age'\]: expected one of .* or a trans"):
        people([1.0, 2.0], "standardise")


RNG = np.random.default_rng(0)
USERS, ITEMS = 60, 40
TABLE = {
    "user": np.repeat(np.arange(USERS), 20),
    "item": np.concatenate([RNG.choice(ITEMS, 20, replace=False) for _ in range(USERS)]),
    "rating": RNG.integers(1, 6, 20 * USERS),
}
ABOUT = {
    "user": np.arange(USERS),
    "age": RNG.integers(10, 80, USERS),
    "income": RNG.lognormal(3, 1, USERS),
}
THINGS = {"item": np.arange(ITEMS), "price": RNG.normal(10, 3, ITEMS)}
FIELDS = {"age": bucketise(5), "income": log() | standardise(), "price": standardise()}


def shop(about=ABOUT, things=THINGS):
    return Dataset.from_frames(TABLE, about, things, fields=FIELDS)


def test_statistics_are_of_training_alone():
    splits = mr.split.cold_start(shop(), seed=0)
    train = splits.train
    users, items = np.unique(train.user), np.unique(train.item)
    assert len(users) < USERS and len(items) < ITEMS
    income = np.log1p(ABOUT["income"])
    wanted = (income - income[users].mean()) / income[users].std()
    np.testing.assert_allclose(splits.data.users["income"].vectors[:, 0], wanted, rtol=1e-5)
    price = THINGS["price"]
    wanted = (price - price[items].mean()) / price[items].std()
    np.testing.assert_allclose(splits.data.items["price"].vectors[:, 0], wanted, rtol=1e-4)
    for part in (train, splits.train_and_validation, splits.validation.train):
        assert part.users is splits.data.users and part.items is splits.data.items
    for scenario in [*splits.values(), *splits.validation.values()]:
        assert scenario.tasks().items is splits.data.items


def test_what_is_held_out_changes_nothing_that_is_trained_on():
    first = mr.split.cold_start(shop(), seed=0)
    held = np.setdiff1d(np.arange(USERS), first.train.user)
    unseen = np.setdiff1d(np.arange(ITEMS), first.train.item)
    about = {name: values.copy() for name, values in ABOUT.items()}
    about["age"][held], about["income"][held] = 79, 1e6
    things = {name: values.copy() for name, values in THINGS.items()}
    things["price"][unseen] = -1e4
    second = mr.split.cold_start(shop(about, things), seed=0)
    for noun, name, kept in (
        ("users", "age", np.unique(first.train.user)),
        ("users", "income", np.unique(first.train.user)),
        ("items", "price", np.unique(first.train.item)),
    ):
        one, two = getattr(first.train, noun)[name], getattr(second.train, noun)[name]
        for a, b in zip(one.arrays, two.arrays, strict=True):
            np.testing.assert_array_equal(a[kept], b[kept])
    models = [mr.MeLU(epochs=1, seed=0).fit(each.train) for each in (first, second)]
    for name, value in models[0].parameters().items():
        np.testing.assert_array_equal(value, models[1].parameters()[name])


def test_without_transforms_a_split_keeps_the_data():
    data = mr.datasets.synthetic(users=60, items=40, seed=0)
    assert mr.split.cold_start(data, seed=0).data is data


@pytest.mark.parametrize(
    "model", [mr.MeLU(epochs=1), mr.ColdStart(epochs=1)], ids=["MeLU", "ColdStart"]
)
def test_adapt_applies_them_also_after_saving_and_copying(model, tmp_path):
    splits = mr.split.cold_start(shop(), seed=0)
    model.fit(splits.train, progress=False)
    ann = {"age": 25, "income": 31.5}

    def answer(of, user):
        return of.adapt([3, 4], [5, 2], user=user).predict([1, 2, 3])

    wanted = answer(model, ann)
    assert (wanted != answer(model, {"age": 79, "income": 0.5})).any()
    model.save(tmp_path / "m.metarec")
    for other in (mr.load(tmp_path / "m.metarec"), copy.deepcopy(model)):
        np.testing.assert_array_equal(answer(other, ann), wanted)
    code = int(splits.train.user[0])
    known = {name: ABOUT[name][code] for name in ("age", "income")}
    np.testing.assert_array_equal(answer(model, known), answer(model, code))
    assert not mr.evaluate(model, splits, draws=1, resamples=5).unchecked


@pytest.mark.parametrize(
    "transform",
    [standardise(), log(), bucketise(3), bucketise(edges=[1, 2]), hashed(9), log() | standardise()],
    ids=repr,
)
def test_states_come_back_through_json(transform):
    column = as_column([1.0, 2.0, 5.0, None], "x")
    fitted = transform.fitted(column, "x")
    again = from_state(json.loads(json.dumps(to_state(fitted))))
    assert again == fitted and repr(again) == repr(transform)
    np.testing.assert_array_equal(again(column, "x"), fitted(column, "x"))


def test_a_damaged_state_is_refused():
    with pytest.raises(InvalidValueError, match="no transform 'eval'"):
        from_state({"transform": "eval"})
