"""MLflow."""

import math
import time
from typing import Any

from metarec.callbacks.callback import Logs, Run
from metarec.callbacks.tracker import Tracker, required, simple

# A store takes so many options at once, each of so many characters.
_PARAMS, _LENGTH = 100, 500


class MLflow(Tracker):
    """Send the training to a run of MLflow (``pip install 'metarec[mlflow]'``).

    To `run`, else to the process's active run, else to a run of its own: only that one it ends.

    Parameters
    ----------
    run : mlflow's Run or its id, optional
    every : int
        Outer steps from one record to the next.
    experiment : str
        The name of the experiment that a run of its own is of; made if it is not there.
    tracking_uri : str, optional
        Such as ``"sqlite:///mlflow.db"``. None: as ``mlflow`` is set up.

    Raises
    ------
    MissingDependencyError
        mlflow is not installed; mlflow-skinny is enough.

    Examples
    --------
    >>> import metarec as mr
    >>> sent = mr.callbacks.MLflow(experiment="melu")  # doctest: +SKIP
    >>> model = mr.MeLU(epochs=2).fit(data, callbacks=[sent])  # doctest: +SKIP
    """

    def __init__(
        self,
        run: Any = None,
        *,
        every: int = 10,
        experiment: str = "metarec",
        tracking_uri: str | None = None,
    ) -> None:
        super().__init__(every)
        self._mlflow = required("mlflow", "mlflow")
        self._given, self._experiment, self._uri = run, experiment, tracking_uri

    def _start(self, run: Run) -> None:
        entities = self._mlflow.entities
        self._client = self._mlflow.MlflowClient(tracking_uri=self._uri)
        known = self._given if self._given is not None else self._mlflow.active_run()
        self._own = known is None
        if known is None:
            found = self._client.get_experiment_by_name(self._experiment)
            number = (
                self._client.create_experiment(self._experiment)
                if found is None
                else found.experiment_id
            )
            known = self._client.create_run(number, run_name=type(run.model).__name__)
        self._id = known if isinstance(known, str) else known.info.run_id
        if not run.step:
            params = [
                entities.Param(name, str(simple(value))[:_LENGTH])
                for name, value in run.options.items()
            ]
            for first in range(0, len(params), _PARAMS):
                self._client.log_batch(self._id, params=params[first : first + _PARAMS])

    def _log(self, step: int, values: Logs) -> None:
        now = int(time.time() * 1000)
        metrics = [
            self._mlflow.entities.Metric(name, value, now, step)
            for name, value in values.items()
            if not math.isnan(value)
        ]
        self._client.log_batch(self._id, metrics=metrics)

    def _end(self, error: BaseException | None) -> None:
        if self._own:
            status = "FINISHED" if error is None else "FAILED"
            status = "KILLED" if isinstance(error, KeyboardInterrupt) else status
            self._client.set_terminated(self._id, status)
