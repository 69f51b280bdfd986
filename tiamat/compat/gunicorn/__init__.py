"""
gunicorn's modules by name: its API on our house, for what was written for gunicorn.

``import gunicorn`` finds this package where ``tiamat.compat.shim`` is installed.
"""

version_info = (27, 0, 1)
"""Whose API this is."""

__version__ = ".".join(str(part) for part in version_info)
SERVER = "gunicorn"
SERVER_SOFTWARE = f"{SERVER}/{__version__}"
