"""Leaves the file ``exited`` when its process ends as processes should."""

import atexit
from pathlib import Path

from apps.slow import app

atexit.register(Path("exited").touch)

__all__ = ["app"]
