"""The API's pages: every public name is documented and on one of them, or the build fails."""

import inspect
import re
from pathlib import Path

from mkdocs.exceptions import PluginError

import metarec as mr
from metarec.components import COMPONENTS

API = Path(__file__).parents[1] / "api"
NAMED = re.compile(r"^::: (metarec\.\S+)", re.M)
PLACE = "<!-- components: "
#: Modules whose names are public.
MODULES = (
    "baselines",
    "callbacks",
    "datasets",
    "errors",
    "export",
    "features",
    "plot",
    "split",
    "text",
)


def public_names():
    """Return every public name, as users write it, and its object."""
    found = {}
    for name in mr.__all__:
        if name not in (*MODULES, *COMPONENTS, "__version__"):
            found[f"metarec.{name}"] = getattr(mr, name)
    for module_name in MODULES:
        module = getattr(mr, module_name)
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
        ]
        for name in names:
            value = getattr(module, name)
            if f"metarec.{name}" not in found:
                found[f"metarec.{module_name}.{name}"] = value
    return found


def undocumented():
    """Return the public names, and those of classes' public methods, that have no docstring."""
    missing = []
    for name, value in {**public_names(), **COMPONENTS}.items():
        if not (callable(value) or inspect.ismodule(value)):
            continue
        if inspect.isclass(value):
            if not vars(value).get("__doc__"):
                missing.append(name)
            members = {f"{name}.{key}": each for key, each in vars(value).items() if key[0] != "_"}
            missing += [
                key
                for key, each in members.items()
                if (callable(each) or isinstance(each, (property, classmethod, staticmethod)))
                and not inspect.getdoc(each)
            ]
        elif not inspect.getdoc(value):
            missing.append(name)
    return missing


def problems():
    """Return what keeps the API's pages from being whole."""
    on_pages = [
        name for page in sorted(API.glob("*.md")) for name in NAMED.findall(page.read_text())
    ]
    public = public_names()
    extra = {name for name in on_pages if not _leads_somewhere(name)}
    return [
        *(f"{name} has no docstring" for name in undocumented()),
        *(f"{name} is on no page of docs/api" for name in public if name not in on_pages),
        *(f"{name} is on a page of docs/api and does not exist" for name in sorted(extra)),
        *(
            f"{name} is there twice"
            for name in sorted({n for n in on_pages if on_pages.count(n) > 1})
        ),
    ]


def on_pre_build(config):
    """Fail on a public name that is not documented."""
    found = problems()
    if found:
        raise PluginError("docs/api:\n  " + "\n  ".join(found))


def on_page_markdown(markdown, **_):
    """Put the components that the native library declares where a page says their role."""
    return re.sub(re.escape(PLACE) + r"(\w+) -->", lambda match: components(match[1]), markdown)


def components(role):
    """Return all components of a role, as Markdown."""
    return "\n\n".join(_component(kind) for kind in COMPONENTS.values() if kind.role == role)


def _component(kind):
    text, _, options = inspect.getdoc(kind).partition("\n\nParameters\n----------\n")
    lines = [
        f"### `{kind.__name__}`",
        "",
        f"```python\nmr.{kind.__name__}{_signature(kind)}\n```",
        "",
        text,
    ]
    rows = re.findall(r"^(\w+) : (.*), default .*\n    (.*)", options, re.M)
    if rows:
        lines += ["", "| option | wanted | |", "|---|---|---|"]
        lines += [f"| `{name}` | {wanted} | {told} |" for name, wanted, told in rows]
    return "\n".join(lines)


def _signature(kind):
    options = ", ".join(f"{name}={value!r}" for name, value in kind.defaults.items())
    return f"({options})"


def _leads_somewhere(name):
    value = mr
    for part in name.split(".")[1:]:
        value = getattr(value, part, None)
    return value is not None
