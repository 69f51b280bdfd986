"""Every module has a test module of its name; say which have none."""

import sys
from pathlib import Path

# Only names and types, or only a call of something that is tested.
EXEMPT = {"__init__.py", "__main__.py", "types.py"}


def missing(package: Path, tests: Path) -> list[Path]:
    """Name the test modules that should exist and don't."""
    modules = (path for path in package.rglob("*.py") if path.name not in EXEMPT)
    wanted = (
        tests / module.relative_to(package).with_name(f"test_{module.name}")
        for module in modules
    )
    return sorted(path for path in wanted if not path.exists())


if __name__ == "__main__":
    if paths := missing(Path("tiamat"), Path("tests")):
        sys.exit("\n".join(f"{path} is missing" for path in paths))
