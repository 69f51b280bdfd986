"""Tiamat: an application server for Python that forks workers and keeps them."""

__version__ = "0.1.0"
