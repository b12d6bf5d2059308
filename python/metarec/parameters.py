"""Options by keyword, scikit-learn's manners: `get_params`, `set_params`, a repr that shows what is not default."""

import inspect
from typing import Any, Self

from metarec.errors import InvalidValueError


class Parametrised:
    """An object that is made of keyword options, each kept unchanged in an attribute of its name."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the options by name; with `deep` also those of parts, as ``"algorithm__inner_steps"``."""
        own = {name: getattr(self, name) for name in self._parameter_names()}
        if deep:
            for name, value in list(own.items()):
                if isinstance(value, Parametrised):
                    own |= {f"{name}__{key}": each for key, each in value.get_params().items()}
        return own

    def set_params(self, **params: Any) -> Self:
        """Set options, also those of parts, as ``"algorithm__inner_steps"``; takes effect at the next `fit`."""
        known = self._parameter_names()
        for name, value in params.items():
            head, _, rest = name.partition("__")
            part = getattr(self, head, None)
            if head not in known or (rest and not isinstance(part, Parametrised)):
                raise InvalidValueError(f"{type(self).__name__}: no option {name!r}; there are {known}")
            if rest:
                part.set_params(**{rest: value})
            else:
                setattr(self, head, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        shown = (
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if name not in defaults or value != defaults[name].default
        )
        return f"{type(self).__name__}({', '.join(shown)})"
