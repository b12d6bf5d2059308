"""Docstrings as Markdown: formulas are written as NumPy's convention has them."""

import re
import textwrap

import griffe

BLOCK = re.compile(r"^\.\. math:: ?(.*?)(?=\n\S|\n\n\S|\Z)", re.S | re.M)
INLINE = re.compile(r":math:`([^`]+)`")


class Formulas(griffe.Extension):
    """Turns ``.. math::`` and ``:math:`` into what arithmatex knows."""

    def on_object(self, *, obj, **_):
        """Rewrite one docstring."""
        if obj.docstring is not None:
            text = INLINE.sub(r"\\(\1\\)", obj.docstring.value)
            obj.docstring.value = BLOCK.sub(_block, text)


def _block(match):
    return f"\n$$\n{textwrap.dedent(match[1]).strip()}\n$$\n"
