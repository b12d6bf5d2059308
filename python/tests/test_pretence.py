"""Users and items that are pretended to be new."""

import numpy as np
import pytest

import metarec as mr
from metarec.pretence import ENOUGH, MOST, PARTS, pretences


@pytest.fixture(scope="module")
def data():
    return mr.datasets.synthetic(users=400, items=150, seed=0)


def test_nobody_pretended_new_is_trained_on(data):
    view = data.view(data.rating > 1)
    held = pretences(view, 0)
    assert 1 < len(held) <= MOST
    seen_users, seen_items = [], []
    for each in held:
        train = np.isin(np.arange(len(data)), each.train.rows)
        for name, scenario in each.items():
            rows = view.rows[scenario.rows()[0]]
            assert not train[rows].any()
            new = {"users": data.user[rows], "items": data.item[rows]}
            if name != "new_item":
                assert not np.isin(new["users"], each.train.user).any()
            if name != "new_user":
                assert not np.isin(new["items"], each.train.item).any()
        seen_users.append(np.unique(data.user[view.rows[each.new_user.rows()[0]]]))
        seen_items.append(np.setdiff1d(view.item, each.train.item))
        assert len(seen_items[-1]) == pytest.approx(len(np.unique(view.item)) / PARTS, abs=2)
    assert len(np.unique(np.concatenate(seen_users))) == sum(map(len, seen_users))
    assert len(np.unique(np.concatenate(seen_items))) == sum(map(len, seen_items))


def test_one_is_enough_of_many_users():
    data = mr.datasets.synthetic(users=12 * ENOUGH, items=60, seed=0)
    assert len(pretences(data, 0)) == 1


def test_short_users_get_short_queries():
    users, items = np.repeat(np.arange(50), 4), np.tile(np.arange(20), 10)
    data = mr.Dataset.from_arrays(users, items, np.arange(200) % 5)
    held = pretences(data, 0)
    assert held and all((each.new_user.query == 1) for each in held)
    assert pretences(data.view(np.arange(3)), 0) == []


def test_the_seed_decides(data):
    first, again, other = (pretences(data, seed)[0].train.rows for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
