"""What rules drop and repair, and what they say of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarec.cleaning import Cleaning
from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.robust import group_medians

BAD = {
    "user": ["ann", "ann", None, "bob", "bob", "cy", "ann"],
    "item": [6, 7, 6, None, 7, 6, 6],
    "rating": [5.0, None, 3.0, 2.0, np.inf, 9.0, 4.0],
    "at": [3, 1, 1, 1, 1, 1, 2],
}


def made(ratings=BAD, **rules):
    return Dataset.from_frames(ratings, timestamp=None, clean=Cleaning(**rules))


def said(data):
    return [(step.rule, step.rows, step.action) for step in data.cleaning]


def test_nothing_is_done_unless_it_is_asked_for():
    ratings = {"user": [1, 1, 2], "item": [7, 7, 7], "rating": [1, 5, 3]}
    data = Dataset.from_frames(ratings)
    assert data.rating.tolist() == [1, 5, 3]
    assert (data.cleaning.came, data.cleaning.kept) == (3, 3)
    assert said(data) == [("duplicates", 1, "kept")]
    assert Cleaning() == Cleaning(missing="refuse", duplicates="keep", outliers=None, noise=None)


def test_missing_rows_are_dropped_a_line_each_column():
    data = made(missing="drop")
    assert data.user_ids(data.user).tolist() == ["ann", "cy", "ann"]
    assert said(data)[:3] == [("missing", 1, "dropped")] * 2 + [("missing", 2, "dropped")]
    text = str(data.cleaning)
    assert text.startswith("Cleaning: 7 rows came, 3 are kept")
    assert "ratings['user'] is missing, first in row 2" in text
    assert "ratings['item'] is missing, first in row 3" in text
    assert "ratings['rating'] is missing or not finite, first in row 1" in text


def test_missing_rows_are_refused_by_name_and_told_how_to_drop():
    with pytest.raises(InvalidValueError, match=r"ratings\['user'\].*1, first at row 2.*'drop'"):
        made()


def test_ratings_out_of_range():
    data = made(missing="drop", scale=(1, 5), out_of_range="drop")
    assert data.rating.tolist() == [5, 4] and ("range", 1, "dropped") in said(data)
    data = made(missing="drop", scale=(1, 5), out_of_range="clip")
    assert data.rating.tolist() == [5, 5, 4] and ("range", 1, "clipped") in said(data)
    with pytest.raises(InvalidValueError, match=r"ratings\['rating'\].* 1 to 5.*first 9 at row 5"):
        made(missing="drop", scale=(1, 5))
    data = made(missing="drop", scale=(1, 9))
    assert not any(step.rule == "range" for step in data.cleaning)


TWICE = {
    "user": [1, 2, 1, 1],
    "item": [7, 7, 7, 8],
    "rating": [1, 2, 5, 4],
    "timestamp": [9, 1, 3, 2],
}


@pytest.mark.parametrize(
    ("rule", "timestamp", "wanted"),
    [
        ("keep", None, [1, 2, 5, 4]),
        ("first", None, [1, 2, 4]),
        ("last", None, [2, 5, 4]),
        ("mean", None, [2, 3, 4]),
        ("first", "timestamp", [2, 5, 4]),  # by time it is the other way round
        ("last", "timestamp", [1, 2, 4]),
    ],
)
def test_duplicates(rule, timestamp, wanted):
    data = Dataset.from_frames(TWICE, timestamp=timestamp, clean=Cleaning(duplicates=rule))
    assert data.rating.tolist() == wanted
    assert said(data) == [("duplicates", 1, "kept" if rule == "keep" else "dropped")]


def test_duplicates_are_refused_by_row():
    with pytest.raises(InvalidValueError, match=r"one rating of an item by a user, got 1 .* row 2"):
        Dataset.from_frames(TWICE, timestamp=None, clean=Cleaning(duplicates="refuse"))


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=30
    ),
    st.sampled_from(["first", "last", "mean"]),
)
def test_after_it_no_pair_is_there_twice(rows, rule):
    user, item, rating = zip(*rows, strict=True)
    ratings = {"user": list(user), "item": list(item), "rating": list(rating)}
    data = Dataset.from_frames(ratings, clean=Cleaning(duplicates=rule))
    groups = {}
    for u, i, r in rows:
        groups.setdefault((u, i), []).append(r)
    choose = {"first": lambda g: g[0], "last": lambda g: g[-1], "mean": np.mean}[rule]
    found = zip(
        data.user_ids(data.user).tolist(),
        data.item_ids(data.item).tolist(),
        data.rating.tolist(),
        strict=True,
    )
    assert {(u, i): r for u, i, r in found} == pytest.approx(
        {pair: choose(group) for pair, group in groups.items()}
    )
    assert len(data) == len(groups) and data.cleaning.came == len(rows)


def test_ids_without_a_row_in_the_tables():
    ratings = {"user": [1, 2, 3], "item": [7, 7, 9], "rating": [1, 2, 3]}
    tables = {"user": [1, 2], "age": [1, 2]}, {"item": [7], "g": ["x"]}
    data = Dataset.from_frames(ratings, *tables)
    assert said(data) == [("unknown", 1, "kept"), ("unknown", 1, "kept")]
    assert "1 user not in the table of users" in str(data.cleaning)
    data = Dataset.from_frames(ratings, *tables, clean=Cleaning(unknown="drop"))
    assert data.rating.tolist() == [1, 2] and said(data) == [("unknown", 1, "dropped")]
    with pytest.raises(InvalidValueError, match=r"ratings\['user'\] is not in users, such as 3"):
        Dataset.from_frames(ratings, *tables, clean=Cleaning(unknown="refuse"))


def test_rows_of_the_tables():
    ratings = {"user": [1, 2], "item": [7, 8], "rating": [1, 2]}
    items = {"item": [7, None, 8, 7], "g": ["a", "b", "c", "d"]}
    for rule, kept in (("first", ["a", "c"]), ("last", ["c", "d"])):
        rules = Cleaning(missing="drop", duplicates=rule)
        data = Dataset.from_frames(ratings, items=items, clean=rules)
        assert data.item_columns["g"].tolist() == kept
        assert said(data) == [("missing", 1, "dropped"), ("duplicates", 1, "dropped")]
        assert "items['item'] is missing, first in row 1" in str(data.cleaning)
    with pytest.raises(InvalidValueError, match=r"items\['item'\]: .*one row per id, got 7 twice"):
        Dataset.from_frames(ratings, items=items, clean=Cleaning(missing="drop"))
    with pytest.raises(InvalidValueError, match=r"items\['item'\]: expected no missing values"):
        Dataset.from_frames(ratings, items=items, clean=Cleaning(duplicates="last"))


def crowd(users=40, items=30, seed=0):
    """Ratings that follow user and item but for a little; every user rates every item."""
    rng = np.random.default_rng(seed)
    user, item = np.repeat(np.arange(users), items), np.tile(np.arange(items), users)
    mean = rng.normal(size=users)[user] + rng.normal(size=items)[item]
    return {"user": user, "item": item, "rating": mean + 0.1 * rng.normal(size=len(user))}


def test_outliers_are_found_where_they_were_put():
    ratings = crowd()
    wrong = np.array([5, 300, 1000])
    ratings["rating"][wrong] += [4, -4, 4]
    data = made(ratings, outliers=8.0)
    kept = np.delete(ratings["rating"], wrong).astype(np.float32)
    np.testing.assert_array_equal(data.rating, kept)
    assert said(data) == [("outliers", 3, "dropped")]
    assert len(made(ratings)) == 1200


def test_users_who_disagree_with_everybody_are_noise():
    ratings = crowd()
    rng = np.random.default_rng(1)
    noisy = ratings["user"] == 7
    ratings["rating"][noisy] = rng.uniform(-5, 5, noisy.sum())
    data = made(ratings, noise=8.0)
    assert sorted(set(range(40)) - set(data.user_ids(data.user).tolist())) == [7]
    assert said(data) == [("noise", 30, "dropped")]
    assert "1 user" in str(data.cleaning)


def test_users_whose_ratings_are_all_the_same():
    ratings = crowd(10, 6)
    ratings["rating"][ratings["user"] == 3] = 2.0
    data = made(ratings)
    assert said(data) == [("constant", 6, "kept")] and "of 1 user" in str(data.cleaning)
    data = made(ratings, constant_users="drop")
    assert said(data) == [("constant", 6, "dropped")] and data.user_count == 9
    # Of clicks all are the same, and of four ratings it may be chance.
    clicks = ratings | {"rating": np.ones(60)}
    assert said(made(clicks, constant_users="drop")) == []
    few = {"user": [1, 1, 1, 1, 2], "item": [1, 2, 3, 4, 1], "rating": [3, 3, 3, 3, 1]}
    assert said(made(few, constant_users="drop")) == []


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-5, 5)), min_size=1))
def test_medians_of_groups(pairs):
    group, values = (np.array(each) for each in zip(*pairs, strict=True))
    found = group_medians(values.astype(float), group.astype(np.int32))
    for code in range(group.max() + 1):
        mine = values[group == code]
        assert found[code] == (np.median(mine) if len(mine) else 0)


def test_rules_that_leave_nothing():
    nothing = {"user": [None], "item": [1], "rating": [3]}
    rules = {"missing": "drop", "duplicates": "last", "outliers": 3, "noise": 3}
    data = made(nothing, scale=(1, 5), constant_users="drop", **rules)
    assert len(data) == 0 and (data.cleaning.came, data.cleaning.kept) == (1, 0)


@pytest.mark.parametrize(
    "rule",
    [
        {"missing": "ignore"},
        {"duplicates": True},
        {"scale": (5, 1)},
        {"outliers": 0},
        {"noise": float("nan")},
    ],
)
def test_bad_rules_are_refused_by_name(rule):
    with pytest.raises(InvalidValueError, match=f"^{next(iter(rule))}: "):
        Cleaning(**rule)
    with pytest.raises(InvalidTypeError, match=r"^scale: expected \(low, high\)"):
        Cleaning(scale=5)
    with pytest.raises(InvalidTypeError, match=r"^clean: expected Cleaning, got dict"):
        Dataset.from_frames(TWICE, clean={"missing": "drop"})


def test_a_report_is_kept_by_views_and_shown():
    data = made(missing="drop")
    assert str(data.view([0]).cleaning) == str(data.cleaning)
    assert "<table>" in data.cleaning._repr_html_() and len(data.cleaning) == 4
