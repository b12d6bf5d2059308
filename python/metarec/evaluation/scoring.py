"""What is asked of models, draw by draw, and how their answers are scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import offsets_of
from metarec.dataset import Dataset
from metarec.evaluation import catalogue, groups
from metarec.evaluation.answer import Answer, ask, gives_distributions
from metarec.evaluation.calibration import Calibration
from metarec.evaluation.metrics import POOLED, Floats, Metric, Scale, resolve, score
from metarec.evaluation.scores import Scores
from metarec.evaluation.tables import HEADLINE

if TYPE_CHECKING:
    from metarec.scenario import Scenario
    from metarec.tasks import TaskSet


class Model(Protocol):
    """Anything that predicts the query rows of a task set from its support.

    A model with the attribute ``levels_``, the ascending values that a rating can have, is asked
    ``predict(tasks, decision="distribution")`` for ``[query rows, levels]``, their probabilities.
    """

    def predict(self, tasks: Any, /) -> Any:
        """Return one number a query row, tasks in order."""


def is_headline(metric: Metric) -> bool:
    """Whether the tables show it: these are broken down by groups."""
    return any(metric.name == name for name, _ in HEADLINE)


@dataclass(frozen=True)
class Draw:
    """One draw of a scenario's tasks: as a model sees it, and what it is asked."""

    number: int
    users: NDArray[np.int64]
    tasks: TaskSet
    whole: TaskSet
    targets: Floats
    offsets: NDArray[np.int64]
    items: NDArray[np.int32]


def drawn_of(
    scenario: Scenario,
    draws: int,
    size: int | None,
    ids: NDArray[np.int64],
    history: int,
    hidden: float,
) -> Iterator[Draw]:
    """Yield the draws of some of a scenario's tasks, with `hidden` for the query's targets."""
    for draw in range(draws if scenario.draws is None else min(draws, scenario.draws)):
        tasks = scenario.tasks(draw, support_size=size, history=history)
        whole = tasks if size is None else scenario.tasks(draw, history=history)
        rows, offsets = tasks.take(ids).query()
        yield Draw(
            draw,
            scenario.users[ids],
            tasks.without_answers(hidden).take(ids),
            whole.take(ids),
            tasks.targets[rows].astype(np.float64),
            offsets,
            tasks.item_index[rows],
        )


Key = tuple[Metric, str | None, str | None]


class Rated:
    """Scoring of predicted ratings."""

    def __init__(
        self,
        names: Sequence[str] | None,
        scale: Scale,
        relevant: float,
        popularity: groups.Groups,
        seed: int,
    ) -> None:
        self.names, self.scale, self.relevant = names, scale, relevant
        self.popularity, self.seed = popularity, seed
        self.calibrations: dict[tuple[str, str], Calibration] = {}

    def resolve(self, distribution: bool) -> list[Metric]:
        """Return the metrics of models that give distributions, or predictions."""
        return resolve(self.names, self.scale, distribution=distribution)

    def start(self, drawn: Sequence[Draw], *, whole: bool) -> None:
        """Take the draws to score next, of whole supports or of a part of them."""
        self.drawn, self.whole = drawn, whole
        #: Denominators depend on the targets alone: one copy serves all models.
        self.shared: dict[tuple[str, str | None], Floats] = {}

    def measure(self, name: str, copies: Sequence[Model], scenario: str) -> dict[Key, Scores]:
        """Return the scores of one model's copies by metric and group."""
        parts: dict[Key, list[list[tuple[Floats, Floats]]]] = {}
        answers: list[Answer] = []
        metrics = self.resolve(gives_distributions(copies[0]))
        pooled = [metric for metric in metrics if metric.name in POOLED and is_headline(metric)]
        for copy in copies:
            mine: dict[Key, list[tuple[Floats, Floats]]] = {}
            for draw in self.drawn:
                source = f"{name} on {scenario}"
                stream = np.random.SeedSequence([self.seed, draw.number])
                seed = int(stream.generate_state(1, np.uint64)[0])
                answer = ask(copy, draw.tasks, draw.targets, self.scale, source, seed)
                if self.whole and answer.calibration:
                    answers.append(answer)
                whole = self._score(answer, draw.targets, draw.offsets, metrics)
                for metric, statistics in zip(metrics, whole, strict=True):
                    mine.setdefault((metric, None, None), []).append(statistics)
                if self.whole and pooled:
                    for level, of_items in self.popularity.items():
                        rows = np.flatnonzero(of_items[draw.items])
                        task = np.repeat(np.arange(len(draw.tasks)), np.diff(draw.offsets))
                        counts = np.bincount(task[rows], minlength=len(draw.tasks))
                        part = self._score(
                            answer.take(rows), draw.targets[rows], offsets_of(counts), pooled
                        )
                        for metric, statistics in zip(pooled, part, strict=True):
                            mine.setdefault((metric, "popularity", level), []).append(statistics)
            for key, each in mine.items():
                parts.setdefault(key, []).append(each)
        if answers:
            self.calibrations[name, scenario] = Calibration.of(name, scenario, answers)
        found: dict[Key, Scores] = {}
        for key, seeds in parts.items():
            metric, by, group = key
            denominators = np.stack([below for _, below in seeds[0]])
            # A group that some draw has no row of has no mean over the draws.
            if by is not None and not denominators.any(axis=1).all():
                continue
            known = self.shared.setdefault((metric.name, group), denominators)
            numerators = np.stack([np.stack([above for above, _ in each]) for each in seeds])
            found[key] = Scores(metric, numerators, known)
        return found

    def _score(
        self,
        answer: Answer,
        targets: Floats,
        offsets: NDArray[np.int64],
        metrics: Sequence[Metric],
    ) -> Iterator[tuple[Floats, Floats]]:
        above, below = score(answer, targets, offsets, metrics, self.scale, self.relevant)
        return zip(above, below, strict=True)


class Ranked:
    """Scoring of rankings of the whole catalogue."""

    def __init__(self, metrics: list[Metric], training: Dataset, relevant: float | None) -> None:
        self.metrics, self.training, self.relevant = metrics, training, relevant
        self.shared = catalogue.Catalogue.of(training)
        self.calibrations: dict[tuple[str, str], Calibration] = {}

    def start(self, drawn: Sequence[Draw], *, whole: bool) -> None:
        """Take the draws to score next, of whole supports or of a part of them."""
        self.shown = [
            catalogue.shown(draw.tasks, draw.whole, draw.users, self.training, self.relevant)
            for draw in drawn
        ]

    def measure(self, name: str, copies: Sequence[Model], scenario: str) -> dict[Key, Scores]:
        """Return the scores of one model's copies by metric and group."""
        source = f"{name} on {scenario}"
        parts = [
            catalogue.rank(copy, self.shown, self.metrics, self.shared, source) for copy in copies
        ]
        return {
            (metric, None, None): catalogue.joined(metric, [part[metric] for part in parts])
            for metric in parts[0]
        }
