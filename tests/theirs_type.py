"""What starts servers whose worker class is written in a test."""

from collections.abc import Callable

from running import Server

Theirs = Callable[..., Server]
