"""A table of text, as plain text, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metarec.display import html_table


@dataclass(frozen=True)
class Table:
    """A title, column heads and rows of text; all columns but the first are right-aligned."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return lines of equal-width columns under the title."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]

        def line(cells: Sequence[str]) -> str:
            first = cells[0].ljust(widths[0])
            rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
            return "  ".join([first, *rest]).rstrip()

        return "\n".join([self.title, *("  " + line(cells) for cells in lines)])

    def markdown(self) -> str:
        """Return a Markdown table under the title in bold."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

        rule = "|---|" + "---:|" * (len(self.head) - 1)
        return "\n".join([f"**{self.title}**", "", line(self.head), rule, *map(line, self.rows)])

    def html(self) -> str:
        """Return an HTML table with the title as its caption."""
        return html_table(self.title, self.head, self.rows)
