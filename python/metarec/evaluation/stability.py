"""How much a value moves with the draw, and with the training seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from metarec.evaluation.comparison import label
from metarec.evaluation.frame import Rows
from metarec.evaluation.table import Table


@dataclass(frozen=True, repr=False)
class Stability(Rows):
    """Standard deviations over draws, of the mean over seeds, and over seeds, of that over draws.

    The one says how much chance there is in what was asked of the models, the other how much there
    is in training them; NaN with a single draw or seed.
    """

    _schema: ClassVar[Mapping[str, Any]] = {
        **dict.fromkeys(("model", "scenario", "metric", "decision"), str),
        **dict.fromkeys(("value", "sd_draws", "sd_seeds"), float),
        **dict.fromkeys(("draws", "seeds"), int),
    }

    def _table(self) -> Table:
        rows = [
            [
                f"{row['model']}: {row['scenario']}, {label(row['metric'], row['decision'])}",
                f"{row['value']:.4f}",
                *(
                    f"{row[f'sd_{of}']:.4f} ({row[of]})" if row[of] > 1 else ""
                    for of in ("draws", "seeds")
                ),
            ]
            for row in self.rows
        ]
        head = ["", "value", "sd over draws", "sd over seeds"]
        return Table("Standard deviation over draws and over training seeds", head, rows)
