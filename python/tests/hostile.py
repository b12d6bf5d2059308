"""What nobody should pass: values made from a good one, by a seeded generator."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

INTEGERS = [0, 1, -1, -2, 2, 3, 7, 255, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, 2**63 - 1]
INTEGERS += [2**63, -(2**63), 2**64 - 1, 2**64, 10**400]
FLOATS = [0.0, -0.0, -1.0, 1.0, 0.5, 1e-320, 1e-30, 1e30, 1.8e308, -1e308, np.inf, -np.inf, np.nan]
TEXTS = ["", "x", "\0", "a\0b", "\ud800", "ü" * 700, "items", "mean", "%s%n%d", "prediction", "mae"]
DTYPES = [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64, np.float16]
DTYPES += [np.float32, np.float64, np.longdouble, np.complex128, np.bool_, object, "U3", "M8[s]"]


class Mischief(Exception):
    """What hostile objects raise; it may pass through."""


class Number:
    """Calls back into Python where a number is wanted."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def __index__(self) -> Any:
        return self.act()

    def __float__(self) -> Any:
        return self.act()

    def __bool__(self) -> bool:
        return bool(self.act())

    __call__ = __index__


class Pairs(dict[Any, Any]):
    """A mapping whose items are not those that it has."""

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.found = found

    def items(self) -> Any:
        return self.found


def mischief(*_: Any) -> Any:
    raise Mischief


def junk(random: Random) -> Any:
    """Anything at all."""
    makers: list[Callable[[], Any]] = [
        lambda: None,
        lambda: random.choice(INTEGERS),
        lambda: random.choice(FLOATS),
        lambda: random.choice(TEXTS),
        lambda: random.choice([True, b"", b"items", 1j, ..., NotImplemented, int, object(), len]),
        lambda: random.choice([[], (), {}, set(), [None], [[1]], {"a": 1}, range(3), iter([])]),
        lambda: random.choice([np.int8(-1), np.float32(2), np.bool_(True), np.datetime64("NaT")]),
        lambda: np.zeros((random.randrange(4),) * random.randrange(4), random.choice(DTYPES)),
        lambda: Number(random.choice([mischief, lambda: 2**70, lambda: 1, lambda: "no", dict])),
        lambda: Pairs(random.choice([None, 3, [1], [(1,)], [(1, 2)], [("a", "\ud800")], mischief])),
    ]
    return random.choice(makers)()


def misaligned(array: np.ndarray) -> np.ndarray:
    room = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    room[...] = array
    return room


def extreme(dtype: np.dtype[Any], random: Random) -> Any:
    """A value of the dtype that few expect."""
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        values = [bounds.min, bounds.max, 0, 1, 2, 5, 100, 2**31 - 1]
        values += [] if dtype.kind == "u" else [-1, -2]
        return min(random.choice(values), bounds.max)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(random.choice(FLOATS))
    return dtype.type(random.choice([0, 1]))


def write_extremes(array: np.ndarray, random: Random) -> None:
    """Replace some of its elements, in place."""
    flat = array.reshape(-1)
    for _ in range(random.choice([1, 1, 2, 5]) if flat.size else 0):
        flat[random.randrange(flat.size)] = extreme(array.dtype, random)


def with_extremes(array: np.ndarray, random: Random) -> np.ndarray:
    copy = array.copy()
    if copy.dtype.kind in "iufb":
        write_extremes(copy, random)
    return copy


def read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def spoil_array(array: np.ndarray, random: Random) -> Any:
    if max(array.shape, default=0) >= 2**31:  # of nothing: spoiled already
        return array
    if random.random() < 0.5:
        return with_extremes(array, random)
    with np.errstate(all="ignore"):
        makers: list[Callable[[], Any]] = [
            lambda: array.astype(random.choice(DTYPES[:-1])),
            lambda: array.astype(array.dtype.newbyteorder("S")),
            lambda: np.repeat(array, 2, axis=0)[::2],
            lambda: array[::-1],
            lambda: misaligned(array),
            lambda: array.tolist(),
            lambda: array.reshape(-1)[:1].reshape(()) if array.size else array,
            lambda: array[None],
            lambda: array.reshape(-1),
            lambda: array[: random.randrange(len(array) + 1)] if array.ndim else array,
            lambda: np.concatenate([array, array]) if array.ndim else array,
            lambda: np.concatenate([array, array[:1]]) if array.ndim else array,
            lambda: np.asfortranarray(array).T,
            lambda: np.broadcast_to(array.reshape(-1)[:1], array.shape) if array.size else array,
            lambda: np.ma.masked_array(array),
            lambda: array.view(np.recarray),
            lambda: read_only(array),
            lambda: memoryview(array) if array.ndim else array,
            lambda: np.zeros((2 ** random.randrange(31, 60), 0), array.dtype),
            lambda: np.zeros((0, 2 ** random.randrange(31, 60)), array.dtype),
            lambda: np.ones((1, 2_000), array.dtype),
        ]
        return random.choice(makers)()


def spoil_sequence(values: Any, random: Random) -> Any:
    items = list(values)
    way = random.randrange(6)
    if way < 3 and items:
        index = random.randrange(len(items))
        items[index] = spoil(items[index], random)
    elif way == 3:
        items = items[: random.randrange(len(items) + 1)]
    elif way == 4:
        items.append(random.choice(items) if items else junk(random))
    else:
        return iter(items)
    return tuple(items) if isinstance(values, tuple) else items


def spoil_dict(values: dict[Any, Any], random: Random) -> Any:
    changed = dict(values)
    key = random.choice([*changed, None])
    way = random.randrange(4)
    if way < 2 and changed:
        key = random.choice(list(changed))
        changed[key] = spoil(changed[key], random)
    elif way == 2:
        changed.pop(key, None)
    else:
        changed[random.choice([*TEXTS, 1, None])] = junk(random)
    return changed


def spoil(value: Any, random: Random) -> Any:
    """Another value in its place, mostly of its kind."""
    try:
        return spoiled(value, random)
    # NumPy cannot make it.
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return junk(random)


def spoiled(value: Any, random: Random) -> Any:
    if random.random() < 0.15:
        return junk(random)
    if isinstance(value, np.ndarray):
        return spoil_array(value, random)
    if isinstance(value, dict):
        return spoil_dict(value, random)
    if isinstance(value, list | tuple):
        return spoil_sequence(value, random)
    if isinstance(value, str):
        return random.choice(
            [random.choice(TEXTS), value + "x", value[:-1], value.encode("utf-8", "replace")]
        )
    if isinstance(value, int):
        return random.choice([random.choice(INTEGERS), random.choice(FLOATS), value + 1, value - 1])
    if isinstance(value, float):
        return random.choice([random.choice(FLOATS), random.choice(INTEGERS), -value, str(value)])
    return junk(random)
