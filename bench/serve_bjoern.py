"""A command for bjoern, which has none: ``python -m bench.serve_bjoern APP PORT``."""

import importlib
import sys

import bjoern  # type: ignore[import-not-found]  # only in the bench's environment


def main() -> None:
    """Serve ``module:attribute`` on a port of 127.0.0.1 until told to stop."""
    module, _, attribute = sys.argv[1].partition(":")
    application = getattr(importlib.import_module(module), attribute)
    bjoern.run(application, "127.0.0.1", int(sys.argv[2]))


if __name__ == "__main__":
    main()
