"""What the README and the docs say runs, and prints what they say it prints."""

import contextlib
import importlib.util
import io
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import metarec as mr

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NEEDS_DATA = "<!-- needs METAREC_DATA -->"
WITH_RATINGS = "<!-- with ratings.csv -->"
NEEDS_ONNX = "<!-- needs metarec[onnx] -->"
#: Training ends within this of the printed numbers on every instruction set.
TOLERANCE = 0.05
NUMBER = re.compile(r"[-+]?\d+\.\d+")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the lines before and after it."""

    language: str
    text: str
    line: int
    before: str


def blocks(page):
    found, lines = [], page.read_text(encoding="utf-8").splitlines()
    start = None
    for number, line in enumerate(lines):
        if line.startswith("```") and start is None:
            start = number
        elif line == "```":
            before = next((text for text in reversed(lines[:start]) if text), "")
            text = "\n".join(lines[start + 1 : number]) + "\n"
            found.append(Block(lines[start][3:], text, start + 2, before))
            start = None
    assert start is None, f"{page.name}: the block at line {start} does not end"
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names = {"__name__": "page"}
    printed = ""
    for block in blocks(page):
        if block.language == "python":
            if block.before == NEEDS_DATA and not os.environ.get("METAREC_DATA"):
                continue
            if block.before == NEEDS_ONNX and not importlib.util.find_spec("onnxruntime"):
                continue
            if block.before == WITH_RATINGS:
                write_ratings(tmp_path / "ratings.csv")
            # Padded, so that a traceback names the line of the page.
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(code, names)
            printed = output.getvalue()
        elif block.before == "It prints:":
            same_but_for_rounding(printed, block.text)


def write_ratings(path):
    """A file as MovieLens has it."""
    data = mr.datasets.synthetic(users=400, items=150, seed=0)
    columns = np.column_stack([data.user, data.item, data.rating])
    np.savetxt(path, columns, "%g", ",", header="userId,movieId,rating", comments="")


def same_but_for_rounding(printed, shown):
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", shown).split()
    for got, wanted in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
        assert float(got) == pytest.approx(float(wanted), abs=TOLERANCE)


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_names_every_algorithm_and_preset():
    from metarec.components import COMPONENTS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in [*COMPONENTS, "ColdStart", "ImplicitColdStart", "MeLU", "FineTune"]:
        assert f"`{name}`" in text, name
