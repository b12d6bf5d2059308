"""What metarec raises: each a `MetarecError` and also the built-in exception that fits."""


class MetarecError(Exception):
    """Base of all errors raised by metarec."""


class InvalidValueError(MetarecError, ValueError):
    """An argument's value cannot be used; the message names it, what came and what was wanted."""


class LeakageError(InvalidValueError):
    """A model was trained on ratings that it is to be tested on."""


class InvalidIndexError(MetarecError, IndexError):
    """An index lies outside the range it points into."""


class InvalidTypeError(MetarecError, TypeError):
    """An argument has the wrong type, dtype, byte order or layout."""


class NumericalError(MetarecError, ArithmeticError):
    """A computation left the finite numbers, for example because a learning rate is too large."""


class StateError(MetarecError, RuntimeError):
    """An object cannot do this now: closed, in use by another thread, or out of date."""


class NotFittedError(StateError, AttributeError):
    """The model has no parameters yet: call `fit` or `initialize` first."""


class OutOfMemoryError(MetarecError, MemoryError):
    """The request is larger than this machine can hold."""


class MissingDependencyError(MetarecError, ImportError):
    """An optional package is missing; the message says which extra installs it."""


class DownloadError(MetarecError, OSError):
    """A data set could not be fetched or its checksum is wrong."""
