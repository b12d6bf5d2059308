"""Reports in files: JSON with all values and comparisons, Markdown and HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from metarec.errors import InvalidValueError
from metarec.evaluation import tables
from metarec.evaluation.calibration import Calibration
from metarec.evaluation.comparison import Comparison
from metarec.evaluation.report import SCHEMA, Report, from_rows

FORMAT = 1


def save(report: Report, path: Path) -> None:
    """Write `report` as the ending of `path` says."""
    if path.suffix == ".md":
        text = report.to_markdown()
    elif path.suffix == ".html":
        text = _page(report)
    elif path.suffix == ".json":
        parts = _state(report).items()
        lines = (f"{json.dumps(name)}: {json.dumps(part, allow_nan=False)}" for name, part in parts)
        text = "{\n" + ",\n".join(lines) + "\n}\n"
    else:
        raise InvalidValueError(
            f"path: got {str(path)!r}, wanted a name ending in .md, .html or .json"
        )
    path.write_text(text, encoding="utf-8")


def load(path: Path) -> Report:
    """Return the report of a JSON file."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["format"] > FORMAT:
            raise InvalidValueError(f"format {state['format']}; this version reads up to {FORMAT}")
        calibrations = [
            Calibration(
                _rows(c["rows"], Calibration._schema), c["model"], c["scenario"], c["transform"]
            )
            for c in state["calibrations"]
        ]
        return Report(
            **{name: state[name] for name in ("models", "floors", "resamples", "seed")},
            curve_support=state["curve_support"],
            info=state["info"],
            _calibrations={(c.model, c.scenario): c for c in calibrations},
            _measured=from_rows(_rows(state["values"], SCHEMA)),
            _compared=_rows(state["comparisons"], Comparison._schema),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValueError(f"{path}: not a report, or damaged; {error}") from error


def _state(report: Report) -> dict[str, Any]:
    calibrations = [
        {
            **{name: getattr(each, name) for name in ("model", "scenario", "ece", "transform")},
            "rows": _columns(each.rows, Calibration._schema),
        }
        for each in report._calibrations.values()
    ]
    return {
        "format": FORMAT,
        "info": report.info,
        **{name: getattr(report, name) for name in ("models", "floors", "resamples", "seed")},
        "curve_support": report.curve_support,
        "calibrations": calibrations,
        "values": _columns(list(report._rows()), SCHEMA),
        "comparisons": _columns(report.compare().rows, Comparison._schema),
    }


def _columns(rows: Sequence[Mapping[str, Any]], names: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return rows as columns, where NaN is "nan": null is nothing."""
    return {n: ["nan" if row[n] != row[n] else row[n] for row in rows] for n in names}


def _rows(columns: Mapping[str, Sequence[Any]], names: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = (
        [float(value) for value in columns[name]] if kind is float else columns[name]
        for name, kind in names.items()
    )
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _page(report: Report) -> str:
    style = (
        "body{font:14px/1.4 sans-serif;margin:2em}table{border-collapse:collapse;margin:1.5em 0}"
        "caption{font-weight:bold;text-align:left;padding:.3em 0}"
        "td,th{padding:.15em .7em;text-align:right;border-bottom:1px solid #ddd}"
        "td:first-child,th:first-child{text-align:left}"
    )
    shown = "".join(table.html() for table in (*tables.of(report), tables.about(report)))
    title = escape(", ".join(report.models) or "floors")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head><body>{shown}<p>{escape(tables.note(report))}</p></body></html>\n"
    )
