"""What a model says of query rows: a prediction each, or a distribution over the levels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.errors import InvalidTypeError, InvalidValueError, MetarecError, NumericalError
from metarec.evaluation.metrics import Floats, Scale

if TYPE_CHECKING:
    from metarec.tasks import TaskSet

#: Of a distribution: what is read off for the metrics, and for the calibration.
_DECISIONS = ("mean", "median", "mode", "gain")
_CALIBRATION = ("confidence", "negative_log", "transform")


@dataclass(frozen=True)
class Answer:
    """What a model says of query rows, one number a row for every decision.

    Attributes
    ----------
    decisions
        Of a prediction `mean`, clipped to the scale, and `rounded`, its nearest star. Of a
        distribution `median`, `mean`, `gain` and `mode`; `nll`, and whether the target lies in the
        central 90 %, `coverage90`.
    calibration
        Of a distribution: the probability of its mode (`confidence`), whether that is the target
        (`hit`), and the randomised probability integral transform of the target (`transform`).
    """

    decisions: dict[str, Floats]
    calibration: dict[str, Floats] = field(default_factory=dict)

    @staticmethod
    def predicted(predictions: Floats, scale: Scale) -> Answer:
        """Return that of predictions, one a row."""
        mean = scale.clip(predictions)
        return Answer({"mean": mean, "rounded": scale.rounded(mean)})

    def take(self, rows: NDArray[Any]) -> Answer:
        """Return the answers of some rows."""
        return Answer({name: values[rows] for name, values in self.decisions.items()})


def gives_distributions(model: object) -> bool:
    """Whether a model gives distributions: its levels are in `levels_`."""
    return getattr(model, "levels_", None) is not None


def ask(
    model: Any, tasks: TaskSet, targets: Floats, scale: Scale, source: str, seed: int
) -> Answer:
    """Return what a model says of the query rows of `tasks`.

    Parameters
    ----------
    tasks
        With the query's targets hidden.
    targets
        What they are.
    source
        Who answers what, for messages.
    seed
        Of the randomised probability integral transform.

    Raises
    ------
    InvalidTypeError, InvalidValueError, NumericalError
        The answer is not what was asked for.
    """
    if gives_distributions(model):
        levels = _levels(model.levels_, scale, source)
        given = model.predict(tasks, decision="distribution")
        probabilities = _checked(given, (len(targets), len(levels)), source)
        try:
            return _of_distribution(probabilities, levels, targets, seed)
        except MetarecError as error:
            raise type(error)(f"{source}: {error}") from None
    return Answer.predicted(checked_predictions(model.predict(tasks), len(targets), source), scale)


def _of_distribution(probabilities: Floats, levels: Floats, targets: Floats, seed: int) -> Answer:
    names = (*_DECISIONS, *_CALIBRATION)
    rows = _metarec.distribution(probabilities, levels, targets, names, seed)
    values = dict(zip(names, rows, strict=True))
    decisions = {name: values[name] for name in _DECISIONS}
    decisions["nll"] = values["negative_log"]
    transform = values["transform"]
    decisions["coverage90"] = ((transform >= 0.05) & (transform < 0.95)).astype(np.float64)
    # A level is a target where it is the nearest of them.
    hit = np.abs(values["mode"] - targets) < 0.5 * np.min(np.diff(levels), initial=1.0)
    calibration = {"confidence": values["confidence"], "hit": hit.astype(np.float64)}
    return Answer(decisions, calibration | {"transform": transform})


def _levels(levels: object, scale: Scale, source: str) -> Floats:
    try:
        array = np.ascontiguousarray(levels, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"{source}: levels_ must be numbers: {error}") from error
    if array.ndim != 1 or not len(array) or (np.diff(array) <= 0).any():
        raise InvalidValueError(f"{source}: levels_ is {array}, wanted ascending numbers")
    if array[0] > scale.low + 1e-6 or array[-1] < scale.high - 1e-6:
        raise InvalidValueError(
            f"{source}: levels_ go from {array[0]:g} to {array[-1]:g}, "
            f"wanted the whole scale, {scale.low:g} to {scale.high:g}"
        )
    return array


def checked_predictions(predictions: object, rows: int, source: str) -> Floats:
    """Return what a model's `predict` gave as ``[rows]`` float64, or raise naming the model."""
    array = _checked(predictions, (rows,), source)
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise NumericalError(f"{source}: prediction {bad[0]} is {array[bad[0]]}, wanted finite")
    return array


def _checked(predictions: object, shape: tuple[int, ...], source: str) -> Floats:
    try:
        array = np.ascontiguousarray(predictions, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"{source}: predict must return numbers: {error}") from error
    if array.shape != shape:
        rest = "one per query row" if len(shape) == 1 else "a probability per query row and level"
        raise InvalidValueError(
            f"{source}: predict returned shape {array.shape}, wanted {shape}, {rest}"
        )
    return array
