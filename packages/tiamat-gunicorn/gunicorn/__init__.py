"""Hands over to Tiamat's modules of gunicorn's names."""

import os
from importlib import import_module

if os.path.exists(os.path.join(os.path.dirname(__file__), "arbiter.py")):
    raise ImportError(
        f"gunicorn and tiamat-gunicorn are both in {os.path.dirname(__file__)}:"
        " pip uninstall gunicorn tiamat-gunicorn, then install one of them"
    )

import_module("tiamat.compat.shim").hand_over()
