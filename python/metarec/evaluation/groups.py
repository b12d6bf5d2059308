"""Users by how much is known of them, items by how often they are rated in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from metarec.dataset import Dataset
    from metarec.scenario import Scenario

#: What a report can be broken down by.
GROUPS = ("activity", "popularity")
#: How many groups of users there are.
LEVELS = 4

Groups = dict[str, NDArray[np.bool_]]


def activity(scenario: Scenario, training: Dataset) -> Groups:
    """Return the tasks by the number of their user's known ratings, in four groups of like size.

    Known are the ratings in training and the support. Users of the same number are together.
    """
    trained = np.bincount(training.user, minlength=training.user_count)
    # A support of the scenario `warm` is of training already.
    shared = not (scenario.new_users or scenario.new_items)
    known = trained[scenario.users] + (0 if shared else scenario.support_counts)
    if not len(known):
        return {}
    edges = np.unique(np.quantile(known, np.arange(1, LEVELS) / LEVELS, method="lower"))
    level = np.searchsorted(edges, known, side="left")
    groups = {}
    for each in np.unique(level):
        mine = level == each
        low, high = known[mine].min(), known[mine].max()
        groups[f"{low}-{high}" if low < high else f"{low}"] = mine
    return groups


def popularity(training: Dataset) -> Groups:
    """Return the items by their number of training ratings: new, tail, middle and head.

    The head are the most rated items that have a third of the training ratings, the tail the least
    rated that have a third, new items none. Items of the same number are together.
    """
    counts = np.bincount(training.item, minlength=training.item_count)
    ordered = np.sort(counts[counts > 0])
    groups = {"new (0)": counts == 0}
    if len(ordered):
        share = np.cumsum(ordered) / ordered.sum()
        first, second = ordered[np.searchsorted(share, [1 / 3, 2 / 3])]
        bounds = {"tail": (1, first), "middle": (first + 1, second), "head": (second + 1, None)}
        for name, (low, high) in bounds.items():
            mine = (counts >= low) & (counts <= (ordered[-1] if high is None else high))
            if mine.any():
                groups[f"{name} ({counts[mine].min()}-{counts[mine].max()})"] = mine
    return {name: mine for name, mine in groups.items() if mine.any()}
