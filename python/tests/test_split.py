"""Splits: nothing leaks, bounds filter tests only, and draws follow the rule."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarec import split
from metarec.dataset import Dataset
from metarec.datasets import movielens_1m
from metarec.errors import InvalidTypeError, InvalidValueError

NAMES = ["warm", "new_user", "new_item", "new_both"]
DATA = os.environ.get("METAREC_DATA", "")


def make(users=60, items=60, seed=0, timestamp=True):
    """Ratings whose value is their own row number, so that a row can be recognised anywhere."""
    random = np.random.default_rng(seed)
    user, item = np.nonzero(random.random((users, items)) < random.beta(1, 1, (users, 1)))
    order = random.permutation(len(user))
    user, item = user[order], item[order]
    years = random.integers(1990, 2000, items)
    things = {"item": np.arange(items), "year": years, "late": years >= 1998}
    ratings = {"user": user, "item": item, "rating": np.arange(len(user)) + 0.0}
    if timestamp:
        ratings["t"] = random.integers(0, 500, len(user))
    return Dataset.from_frames(ratings, items=things, timestamp="t" if timestamp else None)


SMALL = {"min_ratings": 5, "max_ratings": 40, "query": 3}


def rows_of(view):
    return set(view.rating.astype(int).tolist())


def task_rows(tasks):
    return set(tasks.targets.astype(int).tolist())


def codes(data, rows, name):
    return set(getattr(data, name)[sorted(rows)].tolist())


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 99),
    new_users=st.sampled_from([0.0, 0.1, 0.5]),
    new_items=st.sampled_from([0.0, 0.3, "late"]),
    order=st.sampled_from(["shuffle", "time"]),
)
def test_nothing_leaks(seed, new_users, new_items, order):
    data = make(seed=seed)
    splits = split.cold_start(data, new_users, new_items, **SMALL, order=order, seed=seed)
    assert list(splits) == list(splits.validation) == NAMES
    seen = rows_of(splits.train)
    for part, whole in ((splits.validation, splits.train_and_validation), (splits, data)):
        training = rows_of(part.train_and_validation)
        train_users, train_items = codes(data, seen, "user"), codes(data, seen, "item")
        rows = {name: task_rows(scenario.tasks(0)) for name, scenario in part.items()}
        queries = {name: query_of(scenario.tasks(0)) for name, scenario in part.items()}
        for name in NAMES:
            assert rows[name] <= rows_of(whole)
            assert not queries[name] & training
        assert not rows["new_user"] & training and not rows["new_item"] & training
        assert not codes(data, rows["new_user"], "user") & train_users
        assert not codes(data, rows["new_item"], "item") & train_items
        assert not codes(data, rows["new_both"], "user") & train_users
        assert not codes(data, rows["new_both"], "item") & train_items
        total = sum(map(len, rows.values()))
        assert len(set().union(*rows.values())) == total
    assert seen <= rows_of(splits.train_and_validation)


def query_of(tasks):
    return set(tasks.query_targets()[0].astype(int).tolist())


def naive_tasks(data, scenario_rows, draw, seed, query, order, low, high):
    """The rule of the protocol, one user at a time."""
    key = np.random.default_rng([seed, draw]).random(len(data))
    tasks = {}
    for user in sorted({int(data.user[r]) for r in scenario_rows}):
        rows = [r for r in sorted(scenario_rows) if data.user[r] == user]
        if low <= len(rows) <= high:
            by = (lambda r: (data.timestamp[r], r)) if order == "time" else (lambda r: key[r])
            rows.sort(key=by)
            tasks[user] = rows[:-query], rows[-query:]
    return tasks


@pytest.mark.parametrize(("order", "draw"), [("shuffle", 0), ("shuffle", 3), ("time", 0)])
def test_draws_follow_the_rule(order, draw):
    data = make(seed=1)
    new_user = np.isin(np.arange(data.user_count), np.arange(0, data.user_count, 4))
    late = data.item_columns["late"]
    splits = split.cold_start(data, new_user, late, **SMALL, order=order, seed=5)
    parts = {"new_user": (True, False), "new_item": (False, True), "new_both": (True, True)}
    for name, (user, item) in parts.items():
        mask = (new_user[data.user] == user) & (late[data.item] == item)
        expected = naive_tasks(data, np.flatnonzero(mask), draw, 5, 3, order, 5, 40)
        scenario = splits[name]
        assert len(expected) > 3 and scenario.users.tolist() == list(expected)
        tasks = scenario.tasks(draw)
        for t, (support, query) in enumerate(expected.values()):
            begin, end = tasks.offsets[t], tasks.offsets[t + 1]
            middle = begin + tasks.support_counts[t]
            assert tasks.targets[begin:middle].tolist() == support
            assert tasks.targets[middle:end].tolist() == query
            assert tasks.item_index[begin:end].tolist() == data.item[support + query].tolist()


def test_the_training_part_is_all_of_existing_users_and_items_but_warm_queries():
    data = make(seed=2)
    splits = split.cold_start(data, 0.3, "late", **SMALL, validation=0)
    assert splits.validation is None and splits.train is splits.train_and_validation
    training = rows_of(splits.train)
    new = codes(data, set(range(len(data))), "user") - codes(data, training, "user")
    late = data.item_columns["late"]
    existing = {r for r in range(len(data)) if data.user[r] not in new and not late[data.item[r]]}
    assert len(new) == round(0.3 * len(set(data.user.tolist())))
    assert existing - training == query_of(splits.warm.tasks(0))
    # Users outside the bounds lose nothing.
    counts = np.bincount(data.user[sorted(existing)], minlength=data.user_count)
    outside = {r for r in existing if not 5 <= counts[data.user[r]] <= 40}
    assert outside and outside <= training


def test_warm_queries_stay_and_supports_change_from_draw_to_draw():
    scenario = split.cold_start(make(), **SMALL).warm
    first, second = scenario.tasks(0), scenario.tasks(1)
    assert query_of(first) == query_of(second)
    assert first.targets.tolist() != second.targets.tolist()
    assert task_rows(first) == task_rows(second)


def test_validation_is_a_tenth_of_the_existing_users_and_items():
    data = make(users=200)
    splits = split.cold_start(data, 0.25, 0.25, **SMALL, seed=3)
    part, train = splits.train_and_validation, splits.train
    for noun in ("user", "item"):
        existing, kept = len(np.unique(getattr(part, noun))), len(np.unique(getattr(train, noun)))
        assert existing - kept == round(existing * 0.1)


def test_validation_takes_the_last_years_where_the_rule_is_a_year():
    data = make()
    splits = split.cold_start(data, 0.2, lambda items: items["year"] >= 1998, **SMALL)
    years = data.item_columns["year"]
    held = years[splits.validation.new_item.tasks(0).item_index]
    assert years[splits.train.item].max() < held.min() <= held.max() <= 1997
    existing = np.unique(splits.train_and_validation.item)
    assert (years[existing] >= held.min()).sum() >= 0.1 * len(existing)
    assert (years[existing] > held.min()).sum() < 0.1 * len(existing)


def test_a_rule_on_several_columns_gives_validation_by_chance():
    data = make()
    rule = lambda items: (items["year"] >= 1998) & (items["item"] > 5)  # noqa: E731
    splits = split.cold_start(data, 0.2, rule, **SMALL)
    years = data.item_columns["year"]
    assert len(np.unique(years[splits.validation.new_item.tasks(0).item_index])) > 2


def test_support_size_keeps_the_first_rows_and_the_query():
    scenario = split.cold_start(make(), **SMALL).new_user
    full = scenario.tasks(2)
    for size in (0, 1, 4, 1000):
        short = scenario.tasks(2, support_size=size)
        np.testing.assert_array_equal(short.query_targets()[0], full.query_targets()[0])
        for t in range(len(full)):
            kept = min(size, full.support_counts[t])
            assert short.support_counts[t] == kept
            a, b = short.offsets[t], full.offsets[t]
            np.testing.assert_array_equal(short.targets[a : a + kept], full.targets[b : b + kept])


def test_eligible_tasks_have_support_enough():
    scenario = split.cold_start(make(), **SMALL).new_user
    tasks = scenario.tasks(0).take(scenario.eligible(10))
    counts = np.diff(tasks.support()[1])
    assert len(tasks) and counts.min() >= 10
    assert len(tasks) == (scenario.support_counts >= 10).sum() < len(scenario)


@pytest.mark.parametrize("order", ["shuffle", "time"])
def test_history_is_the_users_own_training_ratings_before_the_support(order):
    data = make(seed=4)
    splits = split.cold_start(data, **SMALL, order=order, seed=7)
    scenario, training = splits.new_item, rows_of(splits.train_and_validation)
    plain, tasks = scenario.tasks(0, support_size=2), scenario.tasks(0, support_size=2, history=6)
    key = np.random.default_rng([7, 0]).random(len(data))
    lengths = set()
    for t, user in enumerate(scenario.users):
        own = [r for r in sorted(training) if data.user[r] == user]
        a, b = plain.offsets[t], plain.offsets[t + 1]
        if order == "time":
            until = data.timestamp[int(plain.targets[a + plain.support_counts[t]])]
            own = [r for r in own if data.timestamp[r] <= until]
            expected = sorted(own, key=lambda r: (data.timestamp[r], r))[-6:]
        else:
            expected = sorted(own, key=lambda r: key[r])[:6]
        lengths.add(len(expected))
        c, d = tasks.offsets[t], tasks.offsets[t + 1]
        assert tasks.targets[c:d].tolist() == expected + plain.targets[a:b].tolist()
        assert tasks.support_counts[t] == plain.support_counts[t] + len(expected)
    assert max(lengths) == 6
    with pytest.raises(InvalidValueError, match="history: only the scenario new_item"):
        splits.new_user.tasks(0, history=5)


def test_the_seed_decides():
    data = make()
    same = [split.cold_start(data, **SMALL, seed=1) for _ in range(2)]
    other = split.cold_start(data, **SMALL, seed=2)
    np.testing.assert_array_equal(same[0].train.rating, same[1].train.rating)
    assert rows_of(same[0].train) != rows_of(other.train)
    assert same[0].warm.tasks(0).targets.tolist() == same[1].warm.tasks(0).targets.tolist()


def test_new_users_of_one_seed_and_the_draws_are_independent():
    # Both come from generators seeded by [seed, ...]: they must not be the same stream.
    data = make(timestamp=False)
    splits = split.cold_start(data, 0.5, 0, **SMALL, validation=0, seed=0)
    order = np.random.default_rng([0, 0]).permutation(data.user_count)
    users = set(np.unique(splits.train.user).tolist())
    assert users != set(order[len(order) // 2 :].tolist())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"new_users": 1.0}, InvalidValueError, "new_users: expected a fraction"),
        ({"new_items": -0.1}, InvalidValueError, "new_items: expected a fraction"),
        ({"new_items": "later"}, InvalidValueError, "new_items: no column 'later'"),
        ({"new_items": lambda i: i["yaer"]}, InvalidValueError, "no column 'yaer'; .*'year'"),
        ({"new_items": "year"}, InvalidTypeError, "new_items: .* booleans .* got int64"),
        ({"new_users": np.array([True])}, InvalidTypeError, "new_users: .* got bool"),
        ({"order": "random"}, InvalidValueError, "order: expected 'shuffle' or 'time'"),
        ({"order": "time"}, InvalidValueError, "order: 'time' needs timestamps"),
        ({"query": 0}, InvalidValueError, "query"),
        ({"query": 50}, InvalidValueError, "min_ratings: expected at least query=50"),
        ({"max_ratings": 5}, InvalidValueError, "max_ratings"),
        ({"seed": -1}, InvalidValueError, "seed"),
        ({"validation": 2}, InvalidValueError, "validation: expected a fraction"),
    ],
)
def test_a_wrong_option_is_refused_by_name(options, error, message):
    with pytest.raises(error, match=message):
        split.cold_start(make(timestamp=False), **options)


def test_time_has_one_draw():
    scenario = split.cold_start(make(), **SMALL, order="time").new_user
    assert scenario.draws == 1
    with pytest.raises(InvalidValueError, match="one draw"):
        scenario.tasks(1)


def test_shown_and_reached_by_name():
    splits = split.cold_start(make(), **SMALL)
    assert splits.new_user is splits["new_user"]
    with pytest.raises(AttributeError, match="no scenario 'cold'"):
        _ = splits.cold
    assert "validation new_both" in repr(splits) and "<table>" in splits._repr_html_()


def test_melu_lists_must_be_there(tmp_path):
    with pytest.raises(InvalidValueError, match="folder: the data came from no folder"):
        split.melu(make())
    with pytest.raises(InvalidValueError, match=r"folder: MeLU's lists .*warm_state.json"):
        split.melu(make(), folder=tmp_path)


def test_melu_takes_users_and_items_from_the_lists(tmp_path):
    lists = {
        "warm": '{"1": ["10", "11"], "2": ["10"]}',
        "user_cold": '{"3": ["10", "11"]}',
        "item_cold": '{"1": ["12"]}',
        "user_and_item_cold": '{"3": ["12"]}',
    }
    for name, text in lists.items():
        (tmp_path / f"{name}_state.json").write_text(text)
    pairs = [(1, 10), (1, 11), (2, 10), (3, 10), (3, 11), (1, 12), (3, 12), (4, 10), (1, 99)]
    data = Dataset.from_arrays([u for u, _ in pairs], [i for _, i in pairs], range(len(pairs)))
    options = {"min_ratings": 1, "max_ratings": None, "query": 1, "validation": 0}
    splits = split.melu(data, folder=tmp_path, **options)
    assert list(splits) == ["new_user", "new_item", "new_both"]
    assert splits.train.rating.tolist() == [0, 1, 2]
    rows = {name: task_rows(scenario.tasks(0)) for name, scenario in splits.items()}
    assert rows == {"new_user": {3, 4}, "new_item": {5}, "new_both": {6}}


@pytest.mark.skipif(
    not Path(DATA, "ml-1m", "melu_splits").is_dir(), reason="METAREC_DATA has no ml-1m/melu_splits"
)
def test_melu_published_counts():
    splits = split.melu(movielens_1m())
    assert {name: len(scenario) for name, scenario in splits.items()} == {
        "new_user": 668,
        "new_item": 2863,
        "new_both": 723,
    }
    part = splits.train_and_validation
    assert len(part) == 640_448
    assert len(part.tasks(min_ratings=13, max_ratings=100)) == 2653
    years = part.item_columns["year"]
    assert years[part.item].max() == 1997
    assert years[splits.new_item.tasks(0).item_index].min() == 1998
    # The mean supports of 35.6, 27.3 and 27.1 rows are MeLU's own, by an independent count.
    means = [float(s.support_counts.mean().round(1)) for s in splits.values()]
    assert means == [35.6, 27.3, 27.1]
    assert (
        years[splits.train.item].max() < years[splits.validation.new_item.tasks(0).item_index].min()
    )
