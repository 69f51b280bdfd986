"""``python -m bench``, which is what scripts/bench runs."""

from bench.run import main

if __name__ == "__main__":
    raise SystemExit(main())
