"""Training that can be interrupted and goes on with the same bits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec import files
from metarec.arrays import as_count, as_path
from metarec.encoding import encode
from metarec.errors import InvalidTypeError, InvalidValueError

if TYPE_CHECKING:
    from metarec.features import FeatureTable
    from metarec.learner import MetaLearner
    from metarec.tasks import TaskSet

#: Options that change no bit of an epoch: how many there are, and on how many threads.
_FREE = ("epochs", "threads")


class Checkpoint:
    """A file that `fit` keeps up to date, from which it can go on: ``fit(..., resume=True)``.

    It has everything that training needs: parameters, the optimizer's moments, counters of steps
    and epochs, the best epoch's parameters, the history, and the place in the epoch. Nothing random
    has a state: draws follow from the seed, the epoch and the task. So a training that was killed
    and goes on ends with the bits of one that was not. The file is replaced atomically: killed
    while it is written, the one before stays. `mr.load` reads it as the model at that step.

    Parameters
    ----------
    path : str or Path
    every : int, optional
        After each so many outer steps. None: after every epoch. The end of training is always kept.

    Examples
    --------
    >>> import metarec as mr, pathlib, tempfile
    >>> data = mr.datasets.synthetic(users=50, items=40, seed=0)
    >>> kept = mr.Checkpoint(pathlib.Path(tempfile.mkdtemp(), "melu.checkpoint"))
    >>> short = mr.MeLU(epochs=1, seed=0).fit(data, checkpoint=kept)
    >>> longer = mr.MeLU(epochs=3, seed=0).fit(data, checkpoint=kept, resume=True)
    >>> [row["epoch"] for row in longer.history_] == [1, 2, 3]
    True
    >>> longer.history_ == mr.MeLU(epochs=3, seed=0).fit(data).history_
    True
    """

    def __init__(self, path: str | Path, every: int | None = None) -> None:
        self.path = as_path(path, "path")
        self.every = None if every is None else as_count(every, "every", 1)

    @classmethod
    def of(cls, value: Checkpoint | str | Path | None) -> Checkpoint | None:
        """Return the argument of `fit` as a checkpoint."""
        if value is None or isinstance(value, Checkpoint):
            return value
        if isinstance(value, (str, Path)):
            return cls(value)
        raise InvalidTypeError(
            f"checkpoint: expected Checkpoint or a path, got {type(value).__name__}"
        )

    def __repr__(self) -> str:
        every = "" if self.every is None else f", every={self.every}"
        return f"Checkpoint({str(self.path)!r}{every})"


@dataclass
class Place:
    """How far a training is, beside what the model itself knows."""

    #: Finished steps of the epoch that is under way, and the sum of their tasks' losses.
    step: int = 0
    sum: float = 0.0
    #: Score, number from 0 and parameters of the best epoch.
    best: tuple[float, int, dict[str, NDArray[Any]]] | None = None


class Keeper:
    """Writes and reads the checkpoint of one call of `fit`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        model: MetaLearner,
        tasks: TaskSet,
        held_out: Sequence[TaskSet],
    ) -> None:
        self._path, self.every = checkpoint.path, checkpoint.every
        self._model = model
        options = model.get_params(deep=False)
        native = model._native_options()
        identity = {
            "class": files.class_name(model),
            "options": {name: options[name] for name in options if name not in _FREE},
            "derived": {name: native[name] for name in native if name not in _FREE},
            "data": fingerprint(tasks),
            "validation": [fingerprint(each) for each in held_out],
        }
        self._identity: dict[str, Any] = encode(identity, "options")
        files.sweep(self._path)

    def save(self, place: Place) -> None:
        """Write where training is."""
        best, arrays = None, {}
        if place.best is not None:
            best = [place.best[0], place.best[1]]
            arrays = {f"best/{name}": value for name, value in place.best[2].items()}
        about = {"identity": self._identity, "step": place.step, "sum": place.sum, "best": best}
        files.save(self._model, self._path, {"training": about}, arrays)

    def resume(self) -> Place | None:
        """Bring the model, which is initialised, to where the file says; None: there is no file.

        Raises
        ------
        InvalidValueError
            Not a checkpoint, damaged, or one of another training: the message says what differs.
        """
        if not self._path.exists():
            return None
        about, arrays = files.read(self._path)
        try:
            training = about.get("training")
            if training is None:
                raise InvalidValueError("a saved model, not a checkpoint of a training")
            self._check(training["identity"])
            place = Place(as_count(training["step"], "step"), float(training["sum"]))
            parameters = self._model._native.parameters()
            if training["best"] is not None:
                best = files.matching("best", arrays, parameters)
                score, epoch = training["best"]
                place.best = float(score), as_count(epoch, "epoch"), best
            files.fill(self._model, about["learned"], arrays)
        except Exception as error:
            raise InvalidValueError(f"checkpoint: {self._path}: {error}") from error
        return place

    def _check(self, found: dict[str, Any]) -> None:
        """Raise an error that says by what the file's training is another one."""
        wanted = self._identity
        if found["class"] != wanted["class"]:
            raise InvalidValueError(f"of a {found['class']}, this is a {wanted['class']}")
        for kind in ("options", "derived"):
            for name in sorted(found[kind].keys() | wanted[kind].keys()):
                theirs, ours = (each[kind].get(name) for each in (found, wanted))
                if theirs != ours:
                    raise InvalidValueError(
                        f"of a training with {name}={theirs!r}, this one has {ours!r}"
                    )
        for kind in ("data", "validation"):
            if found[kind] != wanted[kind]:
                raise InvalidValueError(f"of a training on other {kind}")


def fingerprint(tasks: TaskSet) -> str:
    """Return a hash of all that a task set holds: 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)

    def add(*parts: Any) -> None:
        for part in parts:
            if isinstance(part, np.ndarray):
                digest.update(f"{part.dtype.str}{part.shape}".encode())
                digest.update(np.ascontiguousarray(part).data)
            else:
                digest.update(f"{part!r};".encode("utf-8", "surrogatepass"))

    def table(features: FeatureTable | None) -> None:
        for name, field in () if features is None else features.fields.items():
            add(name, field.kind, field.size)
            add(*(getattr(field, part, None) for part in ("ids", "offsets", "vectors")))

    add(tasks.offsets, tasks.support_counts, tasks.item_index, tasks.targets, tasks.user_index)
    add(tasks.task_ids)
    table(tasks.items)
    table(tasks.users)
    return digest.hexdigest()
