"""Options by keyword in scikit-learn's manners; a repr shows what is not default."""

import inspect
from typing import Any, Self

from metarec.errors import InvalidValueError


class Parametrised:
    """An object made of keyword options, each kept unchanged in an attribute of its name."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the options by name; with `deep` also ``"algorithm__inner_steps"`` and such."""
        own = {name: getattr(self, name) for name in self._parameter_names()}
        if deep:
            for name, value in list(own.items()):
                if isinstance(value, Parametrised):
                    own |= {f"{name}__{key}": each for key, each in value.get_params().items()}
        return own

    def set_params(self, **params: Any) -> Self:
        """Set options, also those of parts: ``"algorithm__inner_steps"``; the next `fit` uses them.

        Raises
        ------
        InvalidValueError
            There is no such option; the message names those there are.
        """
        known = self._parameter_names()
        # A new part comes before its options.
        for name, value in sorted(params.items(), key=lambda param: "__" in param[0]):
            head, _, rest = name.partition("__")
            part = self._part(head) if rest and head in known else None
            if head not in known or (rest and part is None):
                raise InvalidValueError(
                    f"{type(self).__name__}: no option {name!r}; there are {known}"
                )
            setattr(self, head, value if part is None else part.set_params(**{rest: value}))
        return self

    def _part(self, name: str) -> "Parametrised | None":
        """Return the value of an option if it has options of its own."""
        value = getattr(self, name)
        return value if isinstance(value, Parametrised) else None

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        shown = (
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if name not in defaults or repr(value) != repr(defaults[name].default)
        )
        return f"{type(self).__name__}({', '.join(shown)})"
