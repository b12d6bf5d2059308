"""Small ratings and models whose scores are known, for the tests of evaluation."""

import numpy as np

from metarec import split
from metarec.dataset import Dataset


def small_data(seed=0, users=60, items=80):
    """Stars from 1 to 5 with times, 30 to 60 of each user."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(30, 60, users)
    user = np.repeat(np.arange(users), counts)
    item = np.concatenate([rng.choice(items, count, replace=False) for count in counts])
    taste, quality = rng.normal(0, 0.5, users), rng.normal(0, 0.7, items)
    mean = 3.4 + taste[user] + quality[item]
    rating = np.clip(np.rint(mean + rng.normal(0, 0.7, len(user))), 1, 5)
    return Dataset.from_arrays(user, item, rating, timestamp=rng.permutation(len(user)))


def small_splits(seed=0, **options):
    return split.cold_start(small_data(seed), new_users=0.3, new_items=0.3, seed=seed, **options)


def answers(tasks):
    """The targets of the query rows, looked up where the tasks came from."""
    data, rows = tasks.source
    return data.rating[rows[tasks.query()[0]]].astype(float)


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
