"""``python -m tiamat``."""

from tiamat.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
