"""Where the time of a task goes, instruction by instruction."""

from collections.abc import Iterable
from dataclasses import dataclass

from metarec.display import html_table

_HEADER = ("µs", "share", "calls", "GFLOP/s", "instruction")


@dataclass(frozen=True)
class InstructionCost:
    """What the instructions of one text cost, per task: a mean over the tasks.

    Parameters
    ----------
    instruction : str
        Kernel, shapes and what is fused into it: ``"gemm [S, 64] = [S, 128] [128, 64] + addend,
        relu"``. S and Q are a task's support and query rows, U0, U1, ... the rows it touches of the
        embedding tables, ``'`` a transpose.
    calls : int
        Instructions of this text in the plan.
    multiply_adds : float
        Of products; else 0.
    microseconds : float
    share : float
        Of the whole plan's time, 0 to 1.
    """

    instruction: str
    calls: int
    multiply_adds: float
    microseconds: float
    share: float


class Profile(list[InstructionCost]):
    """The costs of a training plan's instructions, dearest first; see `MetaLearner.profile`.

    A list whose display is a table.
    """

    def __init__(self, costs: Iterable[tuple[str, float, float]]) -> None:
        grouped: dict[str, tuple[int, float, float]] = {}
        for text, multiply_adds, seconds in costs:
            known = grouped.get(text, (0, 0.0, 0.0))
            grouped[text] = (known[0] + 1, known[1] + multiply_adds, known[2] + seconds)
        total = sum(seconds for _, _, seconds in grouped.values())
        super().__init__(
            InstructionCost(text, calls, work, 1e6 * seconds, seconds / total if total else 0.0)
            for text, (calls, work, seconds) in grouped.items()
        )
        self.sort(key=lambda cost: -cost.microseconds)

    @property
    def microseconds(self) -> float:
        """Of one task, all instructions together."""
        return sum(cost.microseconds for cost in self)

    @property
    def multiply_adds(self) -> float:
        """Of one task, all products together."""
        return sum(cost.multiply_adds for cost in self)

    def _cells(self) -> list[tuple[str, ...]]:
        total = InstructionCost(
            "all", sum(c.calls for c in self), self.multiply_adds, self.microseconds, 1.0
        )
        return [
            (
                f"{c.microseconds:.2f}",
                f"{c.share:.1%}",
                str(c.calls),
                f"{2e-3 * c.multiply_adds / c.microseconds:.0f}"
                if c.multiply_adds and c.microseconds
                else "",
                c.instruction,
            )
            for c in [*self, total]
        ]

    def __repr__(self) -> str:
        rows = [_HEADER, *self._cells()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER) - 1)]
        return "\n".join(
            "  ".join([*(cell.rjust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
            for row in rows
        )

    def _repr_html_(self) -> str:
        return html_table("Time of one task", _HEADER, self._cells())
