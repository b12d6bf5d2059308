"""Small ratings and models whose scores are known, for the tests of evaluation."""

import numpy as np

from metarec import split
from metarec.dataset import Dataset
from metarec.features import Categorical, FeatureTable


def small_data(seed=0, users=60, items=80):
    """Stars from 1 to 5 with times, 30 to 60 of each user, who are known by a number."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(30, 60, users)
    user = np.repeat(np.arange(users), counts)
    item = np.concatenate([rng.choice(items, count, replace=False) for count in counts])
    taste, quality = rng.normal(0, 0.5, users), rng.normal(0, 0.7, items)
    mean = 3.4 + taste[user] + quality[item]
    rating = np.clip(np.rint(mean + rng.normal(0, 0.7, len(user))), 1, 5)
    who = FeatureTable({"who": Categorical(np.arange(users, dtype=np.int32), users)})
    times = rng.permutation(len(user))
    return Dataset.from_arrays(user, item, rating, timestamp=times, users=who)


def small_splits(seed=0, **options):
    return split.cold_start(small_data(seed), new_users=0.3, new_items=0.3, seed=seed, **options)


class Answers:
    """The ratings of a data set by user and item: what the query of its tasks is."""

    def __init__(self, data):
        self.ratings = np.full((data.user_count, data.item_count), np.nan)
        self.ratings[data.user, data.item] = data.rating

    def of(self, tasks):
        rows, offsets = tasks.query()
        users = tasks.user_index if tasks.task_ids is None else tasks.user_index[tasks.task_ids]
        return self.ratings[np.repeat(users, np.diff(offsets)), tasks.item_index[rows]]


class Constant:
    def __init__(self, value=3.0):
        self.value = value

    def predict(self, tasks):
        return np.full(tasks.query_rows, self.value)


class Same:
    """Gives one and the same distribution over the stars for every row."""

    def __init__(self, probabilities, levels=(1, 2, 3, 4, 5)):
        self.levels_ = np.array(levels, float)
        self.probabilities = np.array(probabilities, float)

    def predict(self, tasks, decision="mean"):
        if decision == "distribution":
            return np.tile(self.probabilities, (tasks.query_rows, 1))
        assert decision == "mean"
        return np.full(tasks.query_rows, self.probabilities @ self.levels_)
