"""Pictures of reports, of training, of one user and of the items. Needs `metarec[plot]`.

Each function draws into `ax`, or into a figure of its own, and returns the axes:
``mr.plot.support_curve(report).figure.savefig("curve.png")``.
"""

from metarec.plot.item_map import item_map
from metarec.plot.learning import learning_curve
from metarec.plot.report import breakdown, calibration, support_curve
from metarec.plot.user import adaptation

__all__ = [
    "adaptation",
    "breakdown",
    "calibration",
    "item_map",
    "learning_curve",
    "support_curve",
]
