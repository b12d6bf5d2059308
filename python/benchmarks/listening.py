"""Ranking for new users from plays alone: hetrec-lastfm, the full catalogue.

    METAREC_DATA=... python python/benchmarks/listening.py [--draws 2]

New users with 1, 3, 5 and 10 known artists; all 17,632 artists less the known ones are ranked.
Every model's options are those of its grid with the best nDCG@10 on the validation users, the mean
over the support sizes; then it trains on the whole training part.
Prints Markdown. Definitions: docs/protocol.md. Needs the extra metarec[baselines].
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import eigh

import metarec as mr
from metarec.baselines import ImplicitALS, Popularity
from metarec.provenance import Provenance

SIZES = (1, 3, 5, 10)
METRICS = ("ndcg@10", "hr@10")
#: A tag counts by how rare it is; of an artist with few listeners it explains less.
TAGGED_FROM = 30


def main() -> None:
    parser = argparse.ArgumentParser(description="Full-catalogue ranking for new listeners.")
    parser.add_argument("--draws", type=int, default=2, help="draws of support and query")
    options = parser.parse_args()
    if "METAREC_DATA" not in os.environ:
        parser.error("METAREC_DATA: set it to the folder that has hetrec-lastfm/")
    data = mr.datasets.hetrec_lastfm()
    splits = mr.split.cold_start(
        data, new_users=0.2, new_items=0.0, min_ratings=20, max_ratings=None, seed=0
    )
    models, chosen = {}, {}
    for name, (make, grid) in MODELS.items():
        chosen[name] = best(name, make, grid, splits, options.draws)
        models[name] = make(splits.train_and_validation, chosen[name])
    report = scored(models, splits, options.draws)
    print(markdown(report, chosen))


def scored(models: Mapping[str, Any], splits: mr.split.Splits, draws: int) -> mr.Report:
    return mr.evaluate(
        models,
        splits,
        draws=draws,
        metrics=METRICS,
        support_sizes=SIZES,
        scenarios=["new_user"],
        ranking="catalogue",
        floors=False,
    )


def best(name: str, make: Any, grid: Mapping[str, Any], splits: Any, draws: int) -> dict[str, Any]:
    """Return the options with the best nDCG@10 on validation."""
    tried = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    if len(tried) == 1:
        return tried[0]
    models = {str(each): make(splits.train, each) for each in tried}
    report = scored(models, splits.validation, draws)
    values = []
    for each in tried:
        of_sizes = [
            report.interval(str(each), "new_user", METRICS[0], support_size=size).value
            for size in SIZES
        ]
        values.append(np.mean(of_sizes))
        print(f"{name} {each}: {np.round(of_sizes, 4)}", file=sys.stderr, flush=True)
    return tried[int(np.argmax(values))]


# Models


class CosineKNN:
    """Item k-nearest neighbours: cosine of the listeners, shrunk where there are few."""

    def __init__(self, data: mr.Dataset, shrinkage: float, neighbours: int | None) -> None:
        plays, self.counts = plays_of(data)
        common = (plays.T @ plays).tocoo()
        i, j, both = common.row, common.col, common.data
        near = both / (np.sqrt(self.counts[i] * self.counts[j]) + shrinkage)
        near[i == j] = 0
        order = np.lexsort((-near, i))
        place = np.arange(len(order)) - np.searchsorted(i[order], i[order])
        kept = order if neighbours is None else order[place < neighbours]
        self.near = sparse.csr_matrix((near[kept], (i[kept], j[kept])), common.shape)
        self.trained_on_ = Provenance.of(data)

    def score_catalogue(self, tasks: mr.TaskSet) -> NDArray[np.float64]:
        """Return the scores of all artists."""
        rows, offsets = tasks.support()
        known = sparse.csr_matrix(
            (np.ones(len(rows)), tasks.item_index[rows], offsets),
            (len(tasks), len(self.counts)),
        )
        # Artists without a neighbour come in the order of their listeners.
        return np.asarray((known @ self.near).toarray() + 1e-9 * self.counts)


class Adapting:
    """A learner that scores artists user by user, which is faster than as tasks."""

    model: mr.MetaLearner

    def score_catalogue(self, tasks: mr.TaskSet) -> NDArray[np.float32]:
        """Return the scores of all artists."""
        rows, offsets = tasks.support()
        scores = np.empty((len(tasks), len(self.ids)), np.float32)
        for task, (start, end) in enumerate(pairwise(offsets)):
            known = self.ids[tasks.item_index[rows[start:end]]]
            scores[task] = self.model.adapt(known, np.ones(len(known))).predict(self.ids)
        return scores

    def __init__(self, model: mr.MetaLearner, data: mr.Dataset) -> None:
        self.model, self.trained_on_ = model, Provenance.of(data)
        self.ids = data.item_ids(np.arange(data.item_count))


class ClosedForm(Adapting):
    """`BayesianLinear` on ids whose embeddings are principal components, none of them learned.

    An artist is the vector of their n listeners over (n + 10)^power, and beside it their tags,
    weighted by `tags`; the principal components of both are the rows of the id's table. What the
    head adds up to before any support is the share of the users who listen to them. A user's
    posterior follows from known artists alone, whose target is 1: there are no negatives.
    """

    def __init__(
        self, data: mr.Dataset, power: float, scale: float, tags: float, rank: int
    ) -> None:
        plays, counts = plays_of(data)
        parts = [plays @ sparse.diags(np.sqrt(scale) / (counts + 10) ** power)]
        if tags:
            parts.append(
                (sparse.diags(np.sqrt(tags * counts / (counts + TAGGED_FROM))) @ _tags(data)).T
            )
        features = sparse.vstack(parts).tocsr()
        products = (features @ features.T).toarray()
        last = len(products) - 1
        _, directions = eigh(products, subset_by_index=[last + 1 - rank, last])
        embedding = (directions.T @ features).T
        ids = np.where(counts > 0, np.arange(len(counts)), -1).astype(np.int32)
        own = data.with_features(mr.FeatureTable({"item": mr.Categorical(ids, len(counts))}), None)
        model = mr.MetaLearner(
            backbone=mr.ContentEncoder(tokens=rank, features=rank),
            algorithm=mr.BayesianLinear(precision=1.0, noise=1.0),
            loss="squared_error",
        ).initialize(own)
        parameters = model.parameters()
        parameters["embedding.item"][:, :rank] = embedding
        parameters["embedding.item"][:, rank] = counts / len(plays.indptr)
        parameters["embedding.item"][counts == 0] = 0
        parameters["head.weight"][...] = 0
        parameters["head.bias"][...] = 0
        # No offset of the user's own: it would explain targets that are all 1.
        parameters["prior.log_precision"][-1] = 8
        super().__init__(model, data)


def plays_of(data: mr.Dataset) -> tuple[Any, NDArray[np.float64]]:
    """Return the training users by artists, and the artists' numbers of listeners."""
    users, rows = np.unique(data.user, return_inverse=True)
    plays = sparse.csr_matrix(
        (np.ones(len(data)), (rows, data.item)), (len(users), data.item_count)
    )
    return plays, np.bincount(data.item, minlength=data.item_count).astype(np.float64)


def _tags(data: mr.Dataset) -> Any:
    """Return the artists' tags, weighted by rarity, of length 1."""
    field = data.items["tag"]
    ones = np.ones(len(field.ids))
    tags = sparse.csr_matrix((ones, field.ids, field.offsets), (field.rows, field.size))
    tags = tags @ sparse.diags(np.log(field.rows / (1 + np.asarray(tags.sum(0)).ravel())))
    length = np.sqrt(np.asarray(tags.multiply(tags).sum(1)).ravel())
    return sparse.diags(1 / np.maximum(length, 1e-9)) @ tags


Make = Callable[[mr.Dataset, dict[str, Any]], Any]
OURS = ("ColdStart", "closed form, ids", "closed form, ids and tags")
_CLOSED: dict[str, Any] = {"power": (0.35,), "scale": (1.0,), "rank": (64, 128, 256)}
MODELS: dict[str, tuple[Make, dict[str, Any]]] = {
    "Popularity": (lambda data, options: Popularity().fit(data), {}),
    "item k-nearest neighbours": (
        lambda data, options: CosineKNN(data, **options),
        {"shrinkage": (10, 20, 30), "neighbours": (100, None)},
    ),
    "ImplicitALS": (
        lambda data, options: ImplicitALS(**options).fit(data),
        {"rank": (16, 32), "alpha": (3.0, 10.0), "penalty": (10.0, 30.0)},
    ),
    "ColdStart": (
        lambda data, options: Adapting(
            mr.ColdStart(seed=0, **options).fit(data, progress=False), data
        ),
        {"attention": (0,), "negatives": (mr.Negatives(ratio=4, sampling="uniform"),)},
    ),
    "closed form, ids": (
        lambda data, options: ClosedForm(data, **options),
        _CLOSED | {"tags": (0.0,)},
    ),
    "closed form, ids and tags": (
        lambda data, options: ClosedForm(data, **options),
        _CLOSED | {"tags": (1.0,)},
    ),
}


def markdown(report: mr.Report, chosen: Mapping[str, Mapping[str, Any]]) -> str:
    """Return both metrics by support size, and the paired differences of the last models."""
    tasks = report.interval(report.models[0], "new_user", METRICS[0]).tasks
    lines = [f"hetrec-lastfm, {tasks} new users, nDCG@10 / HR@10 by known artists.", ""]
    head = " | ".join(f"{size}" for size in SIZES)
    lines += [f"| | {head} | all | options |", "|---|" + "---:|" * (len(SIZES) + 1) + "---|"]
    for model in report.models:
        cells = [
            " / ".join(
                f"{report.interval(model, 'new_user', metric, support_size=size).value:.3f}"
                for metric in METRICS
            )
            for size in (*SIZES, None)
        ]
        told = ", ".join(f"{key} {value}" for key, value in chosen[model].items())
        lines.append(f"| {model} | {' | '.join(cells)} | {told} |")
    others = [model for model in report.models if model not in OURS]
    for metric in METRICS:
        lines += ["", f"Paired differences in {metric}:", ""]
        lines += [f"| | {head} |", "|---|" + "---:|" * len(SIZES)]
        for model in report.models[len(others) :]:
            for other in others:
                found = report.compare(model, other, metrics=[metric], by_support_size=True).rows
                rows = {row["support_size"]: row for row in found}
                cells = [
                    f"{rows[size]['difference']:+z.3f} [{rows[size]['low']:+z.3f}, "
                    f"{rows[size]['high']:+z.3f}]"
                    for size in SIZES
                ]
                lines.append(f"| {model} − {other} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
