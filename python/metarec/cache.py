"""Where downloads are kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/metarec`` or ``~/.cache/metarec``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metarec"
