"""The parts a learner is made of: algorithms, backbones, losses and optimizers.

Every class is made from the native library's own schema (name, options, defaults, documentation),
so a new algorithm needs no Python. `metarec.MAML`, `metarec.FeatureMLP`, `metarec.Adam` and so on
are these classes.
"""

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from metarec import _metarec
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.parameters import Parametrised

_SCHEMA: dict[str, list[dict[str, Any]]] = json.loads(_metarec.schema())


class Component(Parametrised):
    """A part of a learner: a name and options. Two with the same options are equal."""

    role: ClassVar[str]
    native_name: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]

    if TYPE_CHECKING:  # its options

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, **options: Any) -> None:
        for name in options:
            if name not in self.defaults:
                raise InvalidTypeError(
                    f"{type(self).__name__}: no option {name!r}; there are {list(self.defaults)}"
                )
        for name, default in self.defaults.items():
            setattr(self, name, options.get(name, default))

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return list(cls.defaults)

    def native_options(self) -> dict[str, Any]:
        """Return the options under the names that the native learner takes."""
        own = {f"{self.role}.{name}": getattr(self, name) for name in self.defaults}
        return {self.role: self.native_name, **own}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Component) and repr(self) == repr(other)

    __hash__ = None  # type: ignore[assignment]  # options can be changed


def _make(role: str, schema: Mapping[str, Any]) -> type[Component]:
    options: dict[str, Any] = {}
    documentation = [schema["doc"]]
    for option in schema["options"]:
        name, default = option["name"], option["default"]
        options[name] = tuple(default) if isinstance(default, list) else default
        if len(options) == 1:
            documentation += ["", "Parameters", "----------"]
        documentation += [
            f"{name} : {option['wanted']}, default {options[name]!r}",
            f"    {option['doc']}",
        ]
    arguments = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in options.items()
    ]
    namespace = {
        "__doc__": "\n".join(documentation),
        "__module__": "metarec",
        "__signature__": inspect.Signature(arguments),
        "role": role,
        "native_name": schema["name"],
        "defaults": options,
    }
    return type(schema["class"], (Component,), namespace)


#: The classes by name.
COMPONENTS: dict[str, type[Component]] = {
    schema["class"]: _make(role, schema)
    for role, schemas in _SCHEMA.items()
    if role != "learner"
    for schema in schemas
}


def component(role: str, value: "Component | str") -> Component:
    """Return a component of the role: `value` itself, or the one of that name with its defaults."""
    if isinstance(value, Component) and value.role == role:
        return value
    known = {kind.native_name: kind for kind in COMPONENTS.values() if kind.role == role}
    if isinstance(value, str):
        if value in known:
            return known[value]()
        raise InvalidValueError(f"{role}: got {value!r}, wanted one of {list(known)}")
    names = ", ".join(kind.__name__ for kind in known.values())
    raise InvalidTypeError(f"{role}: got {value!r}, wanted one of {names}")
