"""Rankings of the whole catalogue, less what a user is known to have: never of sampled items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.arrays import offsets_of, ragged_range
from metarec.errors import InvalidValueError
from metarec.evaluation.metrics import Floats, Metric
from metarec.evaluation.scores import Scores
from metarec.features import Categorical, FeatureTable
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.dataset import Dataset

#: What is measured of the ranking, and of the list of its first k.
RANKING = ("ndcg", "hr", "recall", "precision", "f1", "map", "mrr", "auc")
LISTS = ("coverage", "diversity", "novelty", "popularity_bias")
#: What `evaluate` measures of catalogues where `metrics` is not given.
CATALOGUE_METRICS = (
    *(f"{name}@{k}" for name in ("ndcg", "hr", "recall") for k in (5, 10, 20)),
    *("precision@10", "map@10", "mrr"),
    *(f"{name}@10" for name in LISTS),
)
#: Scores are made for so many users at once that they are about so many.
BLOCK = 500_000


def resolve(names: Iterable[str] | None) -> list[Metric]:
    """Return the metrics of catalogues by their names.

    Raises
    ------
    InvalidValueError
        The name is not one of them.
    """
    if isinstance(names, str):
        names = [names]
    metrics = []
    for name in dict.fromkeys(CATALOGUE_METRICS if names is None else names):
        base, at, places = str(name).partition("@")
        known = base in RANKING + LISTS
        sized = not at or (base != "auc" and places.isdecimal() and int(places) > 0)
        if not known or not sized or (base in LISTS and not at):
            wanted = ", ".join((*RANKING, *(f"{each}@10" for each in LISTS)))
            raise InvalidValueError(f"metrics: got {name!r}, wanted some of {wanted}")
        metrics.append(Metric(str(name)))
    return metrics


@dataclass(frozen=True)
class Catalogue:
    """What all rankings of a report share: popularity in training, and the items' content."""

    shares: Floats
    users: int
    content: FeatureTable | None

    @staticmethod
    def of(training: Dataset) -> Catalogue:
        """Return that of a training part."""
        users = len(np.unique(training.user))
        counts = np.bincount(training.item, minlength=training.item_count)
        # A field in which no two items agree says nothing of how like they are.
        told = {
            name: values
            for name, values in training.items.fields.items()
            if not (
                isinstance(values, Categorical) and len(np.unique(values.ids)) == len(values.ids)
            )
        }
        return Catalogue(counts / max(users, 1), users, FeatureTable(told) if told else None)


@dataclass(frozen=True)
class Shown:
    """Tasks with their support as shown to a model, and what is to be found.

    Attributes
    ----------
    tasks
        Without the query's targets, perhaps with a part of the support.
    known, relevant
        Offsets and items: of the user's own, which are no candidates, and of the relevant query.
    """

    tasks: TaskSet
    known: tuple[NDArray[np.int64], NDArray[np.int32]]
    relevant: tuple[NDArray[np.int64], NDArray[np.int32]]


def shown(
    tasks: TaskSet,
    whole: TaskSet,
    users: NDArray[np.int64],
    training: Dataset,
    relevant: float | None,
) -> Shown:
    """Return tasks to rank for.

    Parameters
    ----------
    tasks
        Without the query's targets, perhaps with a part of the support.
    whole
        The same with their whole support and their targets.
    users
        Whose they are. No candidates are the items of their support and of their training ratings.
    training
        What was trained on.
    relevant
        The query's items of at least this rating are relevant; None: all of them.
    """
    places, offsets = whole.support()
    rows, counts = training._by_user()
    mine, starts = counts[users], offsets_of(counts)[users]
    trained = training.item[rows[ragged_range(starts, mine)]]
    known = np.concatenate([whole.item_index[places], trained])
    task = np.arange(len(whole))
    owner = np.concatenate([np.repeat(task, np.diff(offsets)), np.repeat(task, mine)])
    order = np.argsort(owner, kind="stable")

    query, query_offsets = whole.query()
    found = np.ones(len(query), np.bool_)
    if relevant is not None:
        found = whole.targets[query] >= relevant
    wanted = np.repeat(task, np.diff(query_offsets))[found]
    return Shown(
        tasks,
        (offsets_of(np.bincount(owner, minlength=len(whole))), known[order]),
        (offsets_of(np.bincount(wanted, minlength=len(whole))), whole.item_index[query[found]]),
    )


def rank(
    model: Any, draws: Sequence[Shown], metrics: Sequence[Metric], catalogue: Catalogue, source: str
) -> dict[Metric, tuple[Floats, Floats]]:
    """Return the statistics of one model by metric, ``[draws, tasks]`` each."""
    found = [_rank(model, each, metrics, catalogue, source) for each in draws]
    return {
        metric: (
            np.stack([each[metric][0] for each in found]),
            np.stack([each[metric][1] for each in found]),
        )
        for metric in found[0]
    }


def joined(metric: Metric, parts: Sequence[tuple[Floats, Floats]]) -> Scores:
    """Return the scores of one metric of which each training seed has a part."""
    numerators = np.stack([numerators for numerators, _ in parts])
    return Scores(metric, numerators, parts[0][1], metric.base != "coverage")


def _rank(
    model: Any, given: Shown, metrics: Sequence[Metric], catalogue: Catalogue, source: str
) -> dict[Metric, tuple[Floats, Floats]]:
    ranked = [metric for metric in metrics if metric.base in RANKING]
    k = max((metric.native[1] for metric in metrics if metric.base in LISTS), default=0)
    items = len(catalogue.shares)
    above: list[Floats] = []
    below: list[Floats] = []
    lists: list[NDArray[np.int32]] = []
    step = max(1, BLOCK // max(items, 1))
    for first in range(0, len(given.tasks), step):
        block = np.arange(first, min(first + step, len(given.tasks)))
        scores = _scores(model, given.tasks.take(block), items, source)
        numerators, denominators, best = _metarec.catalogue(
            scores,
            *_some(given.known, block),
            *_some(given.relevant, block),
            [(*metric.native, 1.0) for metric in ranked],
            k,
        )
        above.append(numerators)
        below.append(denominators)
        lists.append(best)
    numerators, denominators = np.concatenate(above, axis=1), np.concatenate(below, axis=1)
    found = dict(zip(ranked, zip(numerators, denominators, strict=True), strict=True))
    best = np.concatenate(lists)
    for metric in metrics:
        if metric.base in LISTS:
            places = np.ascontiguousarray(best[:, : metric.native[1]])
            measured = _of_lists(metric.base, places, given, catalogue)
            if measured is not None:
                found[metric] = measured
    return found


def _some(
    lists: tuple[NDArray[np.int64], NDArray[np.int32]], block: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    offsets = lists[0][block[0] : block[-1] + 2]
    return offsets - offsets[0], np.ascontiguousarray(lists[1][offsets[0] : offsets[-1]])


def _scores(model: Any, tasks: TaskSet, items: int, source: str) -> Any:
    """Return the scores of all items ``[tasks, items]``."""
    if callable(getattr(model, "score_catalogue", None)):
        scores = np.asarray(model.score_catalogue(tasks))
    else:
        scores = np.asarray(model.predict(everything(tasks, items)))
        if scores.shape == (len(tasks) * items,):
            scores = scores.reshape(len(tasks), items)
    if scores.shape != (len(tasks), items):
        raise InvalidValueError(
            f"{source}: got scores of shape {scores.shape}, wanted {(len(tasks), items)}"
        )
    kind = np.float32 if scores.dtype == np.float32 else np.float64
    return np.ascontiguousarray(scores, kind)


def everything(tasks: TaskSet, items: int) -> TaskSet:
    """Return the tasks with every item for their query, in order."""
    places, offsets = tasks.support()
    support = np.diff(offsets)
    counts = support + items
    bounds = offsets_of(counts)
    index = np.empty(bounds[-1], np.int32)
    targets = np.zeros(bounds[-1], tasks.targets.dtype)
    mine = ragged_range(bounds[:-1], support)
    index[mine], targets[mine] = tasks.item_index[places], tasks.targets[places]
    rest = (bounds[:-1] + support)[:, None] + np.arange(items)
    index[rest] = np.arange(items, dtype=np.int32)
    users = tasks.user_index
    if users is not None and tasks.task_ids is not None:
        users = users[tasks.task_ids]
    return TaskSet(bounds, support, index, targets, users, items=tasks.items, users=tasks.users)


def _of_lists(
    name: str, lists: NDArray[np.int32], given: Shown, catalogue: Catalogue
) -> tuple[Floats, Floats] | None:
    """Return numerators and denominators ``[tasks]`` of what is measured of lists."""
    there = lists >= 0
    sizes = np.count_nonzero(there, axis=1)
    some = (sizes > 0).astype(np.float64)
    if name == "coverage":
        return np.array([len(np.unique(lists[there]))], np.float64), np.array(
            [len(catalogue.shares)], np.float64
        )
    if name == "diversity":
        if catalogue.content is None:
            return None
        values = _metarec.list_diversity(lists, catalogue.content.native)
        known = ~np.isnan(values)
        return np.where(known, values, 0.0), known.astype(np.float64)
    shares = catalogue.shares
    if name == "novelty":
        # As if one user more had everything: an item that nobody has is not infinitely new.
        shares = -np.log2((shares * catalogue.users + 1) / (catalogue.users + 1))
    means = np.where(there, shares[lists], 0.0).sum(axis=1) / np.maximum(sizes, 1)
    if name == "novelty":
        return means, some
    offsets, items = given.relevant
    task = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    own = np.bincount(task, shares[items], len(sizes)) / np.maximum(np.diff(offsets), 1)
    return means * (own > 0), own * some
