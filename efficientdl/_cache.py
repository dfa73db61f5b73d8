"""Where this project keeps what it downloads or compiles: one folder of the user's caches."""

import os
from pathlib import Path

from platformdirs import user_cache_dir


def cache_folder() -> Path:
    """The folder, which need not be there yet: `EFFICIENTDL_CACHE`, or the system's usual place.

    >>> cache_folder().is_absolute()
    True
    """
    return Path(os.environ.get("EFFICIENTDL_CACHE") or user_cache_dir("efficientdl")).absolute()
