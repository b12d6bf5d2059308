"""Options as JSON and back: numbers, words, lists, components, episodes."""

from typing import Any

from metarec.components import COMPONENTS, Component
from metarec.episodes import Episodes
from metarec.errors import InvalidTypeError, InvalidValueError


def encode(value: Any) -> Any:
    """Return `value` in JSON's types."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [encode(each) for each in value]
    if isinstance(value, dict):
        return {name: encode(each) for name, each in value.items()}
    if isinstance(value, Component):
        return {"component": type(value).__name__, "options": encode(value.get_params())}
    if isinstance(value, Episodes):
        return {"episodes": [list(value.bounds[:2]), list(value.bounds[2:])]}
    if hasattr(value, "item"):  # a NumPy scalar
        return value.item()
    raise InvalidTypeError(f"an option of type {type(value).__name__} cannot be saved")


def decode(value: Any) -> Any:
    """Return what `encode` was given; lists come back as tuples."""
    if isinstance(value, list):
        return tuple(decode(each) for each in value)
    if not isinstance(value, dict):
        return value
    if "component" in value:
        kind = COMPONENTS.get(value["component"])
        if kind is None:
            raise InvalidValueError(
                f"no component {value['component']!r}; there are {list(COMPONENTS)}"
            )
        return kind(**decode(value["options"]))
    if "episodes" in value:
        support, query = decode(value["episodes"])
        return Episodes(support=support, query=query)
    return {name: decode(each) for name, each in value.items()}
