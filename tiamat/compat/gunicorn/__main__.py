"""``python -m gunicorn``, and the command ``gunicorn`` of tiamat-gunicorn."""

import sys

import tiamat
from tiamat import cli
from tiamat.compat.gunicorn import __version__


def main() -> int:
    """Serve, as ``tiamat`` does; return the exit status."""
    if sys.argv[1:] in (["-v"], ["--version"]):
        print(
            f"gunicorn (version {__version__}), served by Tiamat {tiamat.__version__}"
        )
        return 0
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
