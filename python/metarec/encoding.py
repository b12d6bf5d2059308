"""Options as JSON and back: numbers, words, lists, components, episodes, negatives, probits."""

from collections.abc import Mapping
from typing import Any

from metarec.components import COMPONENTS, Component
from metarec.episodes import Episodes
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.negatives import Negatives
from metarec.ordered_probit import OrderedProbit

# What no option can be named.
COMPONENT, EPISODES, NEGATIVES = "$component", "$episodes", "$negatives"
PROBIT = "$probit"


def encode(value: Any, name: str = "value") -> Any:
    """Return `value` in JSON's types."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [encode(each, name) for each in value]
    if isinstance(value, Mapping):
        return {key: encode(each, key) for key, each in value.items()}
    if isinstance(value, Component):
        return {COMPONENT: type(value).__name__, "options": encode(value.get_params())}
    if isinstance(value, Episodes):
        return {EPISODES: [list(value.bounds[:2]), list(value.bounds[2:])]}
    if isinstance(value, Negatives):
        return {NEGATIVES: vars(value)}
    if isinstance(value, OrderedProbit):
        return {PROBIT: value.state()}
    if hasattr(value, "tolist"):  # NumPy's
        return encode(value.tolist(), name)
    raise InvalidTypeError(f"{name}: a {type(value).__name__} cannot be saved")


def decode(value: Any) -> Any:
    """Return what `encode` was given; lists come back as tuples."""
    if isinstance(value, list):
        return tuple(decode(each) for each in value)
    if not isinstance(value, dict):
        return value
    if COMPONENT in value:
        kind = COMPONENTS.get(value[COMPONENT])
        if kind is None:
            known = list(COMPONENTS)
            raise InvalidValueError(f"no component {value[COMPONENT]!r}; there are {known}")
        return kind(**decode(value["options"]))
    if EPISODES in value:
        support, query = decode(value[EPISODES])
        return Episodes(support=support, query=query)
    if NEGATIVES in value:
        return Negatives(**decode(value[NEGATIVES]))
    if PROBIT in value:
        return OrderedProbit.from_state(value[PROBIT])
    return {name: decode(each) for name, each in value.items()}
