"""Small tables for notebooks."""

from collections.abc import Iterable, Sequence
from html import escape


def html_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table with everything escaped."""

    def line(cells: Sequence[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><caption>{escape(caption)}</caption>{line(header, 'th')}{body}</table>"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: 1 user, 2,000 users."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
