"""What follows a training while it runs: `MetaLearner.fit(..., callbacks=[...])`."""

from metarec.callbacks.callback import Callback, Logs, Run
from metarec.callbacks.csv_logger import CSVLogger
from metarec.callbacks.mlflow import MLflow
from metarec.callbacks.tensorboard import TensorBoard
from metarec.callbacks.tracker import Tracker
from metarec.callbacks.wandb import WandB

__all__ = ["CSVLogger", "Callback", "Logs", "MLflow", "Run", "TensorBoard", "Tracker", "WandB"]
