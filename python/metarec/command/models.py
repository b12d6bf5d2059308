"""Models by their names on the command line."""

import argparse
from collections.abc import Iterable
from typing import Any

import metarec
from metarec import baselines
from metarec.blend import Blend
from metarec.command.tables import pairs, value
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.estimator import Estimator
from metarec.files import saved_classes
from metarec.presets import Preset

DEFAULT = "ColdStart"


def known() -> dict[str, type]:
    """Return the models that can be named: presets, estimators and baselines."""
    found = {name: getattr(metarec, name) for name in metarec.__all__}
    found |= {name: getattr(baselines, name) for name in baselines.__all__}
    return {
        name: kind
        for name, kind in sorted(found.items())
        if isinstance(kind, type) and issubclass(kind, (Preset, Estimator))
    }


def savable() -> dict[str, type]:
    """Return those of them that a file can have."""
    can = saved_classes()
    return {name: kind for name, kind in known().items() if name in can}


def add_arguments(
    parser: argparse.ArgumentParser, names: Iterable[str], *, several: bool = False
) -> None:
    """Add the model, one of `names`, and its options."""
    group = parser.add_argument_group("model")
    more = "; may be given several times" if several else ""
    group.add_argument(
        "--model",
        action="append" if several else "store",
        metavar="NAME",
        help=f"default: {DEFAULT}; one of {', '.join(names)}{more}",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="an option of the model, such as epochs=10; may be given several times",
    )
    group.add_argument("--seed", type=int, default=0, help="of splits and training (default: 0)")


def make(name: str, options: argparse.Namespace, *, clicks: bool) -> Any:
    """Return the model of that name, with the options that are its own."""
    by_name = {each.lower(): kind for each, kind in known().items()}
    key = name.lower().replace("-", "").replace("_", "")
    if key not in by_name:
        raise InvalidValueError(f"--model: there is no {name!r}; there are {', '.join(known())}")
    given = {key: value(text) for key, text in pairs(options.set, "--set").items()}
    try:
        model = _blend(options.seed) if by_name[key] is Blend else by_name[key]()
        has = model.get_params(deep=False)
        if "seed" in has:
            given.setdefault("seed", options.seed)
        if clicks and "negatives" in has:
            given.setdefault("negatives", metarec.Negatives())
        return model.set_params(**given)
    except (InvalidTypeError, InvalidValueError, TypeError) as error:
        raise InvalidValueError(f"--set: {error}") from error


def _blend(seed: int) -> Blend:
    return Blend([metarec.ColdStart(seed=seed), metarec.BayesianMF(seed=seed)])
