"""What the documentation site is made of by hooks of its own; `make docs` builds the whole."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import metarec as mr

HOOKS = Path(__file__).parents[2] / "docs" / "hooks"
pytest.importorskip("mkdocs", reason="needs metarec[docs]")


def hook(name):
    spec = importlib.util.spec_from_file_location(f"hooks_{name}", HOOKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestNames:
    def test_all_public_names_are_documented_and_on_a_page(self):
        assert hook("api").problems() == []

    def test_what_is_missing_is_named(self, monkeypatch):
        api = hook("api")
        known = api.problems()

        def bare():
            pass

        class Bare:
            """Has a docstring, but its method has none."""

            def method(self):
                pass

        monkeypatch.setattr(mr.plot, "bare", bare, raising=False)
        monkeypatch.setattr(mr.plot, "__all__", [*mr.plot.__all__, "bare"])
        monkeypatch.setattr(mr, "MeLU", Bare)
        assert [each for each in api.problems() if each not in known] == [
            "metarec.MeLU.method has no docstring",
            "metarec.plot.bare has no docstring",
            "metarec.plot.bare is on no page of docs/api",
        ]

    def test_a_component_has_its_options(self):
        shown = hook("api").components("optimizer")
        assert "### `SGD`" in shown and "mr.SGD(lr=0.01)" in shown
        assert "| `beta1` |" in shown


class TestLinks:
    @pytest.mark.parametrize(
        ("page", "link", "expected"),
        [
            ("howto.md", "[a](../README.md#results)", "[a](index.md#results)"),
            ("index.md", "[a](docs/concepts.md)", "[a](concepts.md)"),
            ("index.md", "![a](docs/images/speed.png)", "![a](images/speed.png)"),
            (
                "notebooks/05_inside_the_engine.md",
                "[a](../docs/engine.md#fuse)",
                "[a](../engine.md#fuse)",
            ),
            (
                "howto.md",
                "[a](../Notebooks/05_inside_the_engine.ipynb)",
                "[a](notebooks/05_inside_the_engine.md)",
            ),
            ("howto.md", "[speed](../python/benchmarks/speed.py)", "speed"),
            ("howto.md", "[a](nowhere.md)", "[a](nowhere.md)"),
            ("howto.md", "[a](https://semver.org)", "[a](https://semver.org)"),
            ("howto.md", "`[a](../README.md)`", "`[a](../README.md)`"),
            ("howto.md", "```\n[a](../README.md)\n```", "```\n[a](../README.md)\n```"),
        ],
    )
    def test_lead_to_the_same_on_the_site(self, page, link, expected):
        found = SimpleNamespace(file=SimpleNamespace(src_uri=page))
        assert hook("pages").on_page_markdown(link, found) == expected


def test_notebooks_become_pages():
    def code(*outputs):
        return {"cell_type": "code", "source": ["%config x\n", "1 + 1"], "outputs": outputs}

    cells = [
        {"cell_type": "markdown", "source": ["# Title"]},
        code({"text": ["two\n"]}),
        code({"data": {"text/html": ["<style>x</style><b>\n 2</b>"], "text/plain": ["2"]}}),
        code({"data": {"image/png": "aGk=", "text/plain": ["<Figure>"]}}),
    ]
    text, pictures = hook("pages").notebook({"cells": cells}, "nb")
    source = "```python\n1 + 1\n```"
    assert text.split("\n\n") == [
        "# Title",
        source,
        "```text\ntwo\n```",
        source,
        "<b>2</b>",
        source,
        "![](nb-0.png)\n",
    ]
    assert pictures == {"nb-0.png": b"hi"}


def test_committed_notebooks_have_their_outputs():
    for path in sorted((HOOKS.parents[1] / "Notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        kinds = {output["output_type"] for output in outputs}
        assert any("image/png" in output.get("data", {}) for output in outputs), path.name
        assert "error" not in kinds


def test_formulas_need_no_script():
    pytest.importorskip("latex2mathml", reason="needs metarec[docs]")
    page = '<p>x <span class="arithmatex">\\(\\theta_0 &lt; 1\\)</span></p>'
    shown = hook("maths").on_page_content(page)
    assert shown.startswith("<p>x <math") and "&#x003B8;" in shown and "arithmatex" not in shown


def test_formulas_of_docstrings():
    pytest.importorskip("griffe", reason="needs metarec[docs]")
    text = "Least :math:`x^2` of\n\n.. math:: a\n    + b\n\nand so on."
    docstring = SimpleNamespace(value=text)
    hook("docstrings").Formulas().on_object(obj=SimpleNamespace(docstring=docstring))
    assert docstring.value == "Least \\(x^2\\) of\n\n\n$$\na\n    + b\n$$\n\n\nand so on."
