"""
What people may set: each setting declared once, in its chapter of the manual.

Below this floor nobody knows that there are settings: they get values.
"""

from tiamat.config.config import Config

__all__ = ["Config"]
