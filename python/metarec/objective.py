"""What a trial of `tune` is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from metarec.errors import InvalidValueError
from metarec.evaluation import Report, about, evaluate
from metarec.evaluation.metrics import Metric

if TYPE_CHECKING:
    from metarec.splits import Splits

#: What every value is compared with, on the same draws, by what is ranked.
_FLOORS = {"query": "bias", "catalogue": "popularity"}
_NAME = "model"


class Objective:
    """A metric less that of the floor on the same draws, a weighted mean over scenarios."""

    def __init__(
        self,
        validation: Splits,
        metric: str,
        scenarios: Sequence[str] | Mapping[str, float] | None,
        ranking: str,
        draws: int,
    ) -> None:
        if not Metric(str(metric)).ordered:
            raise InvalidValueError(
                f"metric: got {metric!r}, of which neither less nor more is better"
            )
        self.loss = Metric(str(metric)).loss
        self.weights = _weights(scenarios, validation)
        self._validation, self._metric = validation, metric
        self._ranking, self._draws = ranking, draws
        floor = None if metric == "nll" else _FLOORS.get(ranking, "bias")
        self._floor = {name: 0.0 for name in self.weights}
        if floor is not None:  # It also checks the arguments, before anything is trained.
            self._floor = self._values(self._report({}, floors=True), floor)
        told = about.describe(validation, {}, {}, {})
        self.info = {
            "versions": told["versions"],
            "data": told["data"],
            "split": told["split"],
            "metric": metric,
            "ranking": ranking,
            "scenarios": self.weights,
            "floor": None if floor is None else {floor: self._floor},
            "draws": draws,
        }

    def differences(self, model: Any) -> dict[str, float]:
        """Fit a model and return the difference in every scenario."""
        quiet = {"progress": False} if "progress" in signature(model.fit).parameters else {}
        fitted = model.fit(self._validation.train, **quiet)
        values = self._values(self._report({_NAME: fitted}, floors=False), _NAME)
        return {name: value - self._floor[name] for name, value in values.items()}

    def mean(self, differences: Mapping[str, float]) -> float:
        """Return what a trial is judged by."""
        weighted = sum(self.weights[name] * each for name, each in differences.items())
        return weighted / sum(self.weights.values())

    def better(self, row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Return whether one trial did better than another."""
        a, b = row["value"], other["value"]
        return bool(a < b if self.loss else a > b)

    def _report(self, models: Mapping[str, Any], *, floors: bool) -> Report:
        return evaluate(
            models,
            self._validation,
            draws=self._draws,
            metrics=[self._metric],
            scenarios=list(self.weights),
            support_sizes=(),
            floors=floors,
            ranking=self._ranking,
            resamples=1,
        )

    def _values(self, report: Report, name: str) -> dict[str, float]:
        return {each: report.interval(name, each, self._metric).value for each in self.weights}


def _weights(
    scenarios: Sequence[str] | Mapping[str, float] | None, validation: Splits
) -> dict[str, float]:
    known = [name for name, scenario in validation.items() if len(scenario)]
    if not known:
        raise InvalidValueError("splits: no validation scenario has a task to score")
    chosen = (
        known if scenarios is None else [scenarios] if isinstance(scenarios, str) else scenarios
    )
    weights = dict(chosen) if isinstance(chosen, Mapping) else dict.fromkeys(chosen, 1.0)
    for name, weight in weights.items():
        if name not in known:
            raise InvalidValueError(
                f"scenarios: got {name!r}, wanted some of {known}, which have tasks in validation"
            )
        if not 0 < weight < np.inf:
            raise InvalidValueError(f"scenarios[{name!r}]: got {weight!r}, wanted a weight above 0")
    if not weights:
        raise InvalidValueError(f"scenarios: got none, wanted some of {known}")
    return {name: float(weight) for name, weight in weights.items()}
