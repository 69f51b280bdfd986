"""
Builds the wheel, which has the metadata of two distributions; see README.md.

A build backend of PEP 517 that needs nothing but Python.
"""

import hashlib
import io
import tarfile
import tomllib
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

PROJECT: dict[str, Any] = tomllib.loads((HERE / "pyproject.toml").read_text())

WHEEL = """\
Wheel-Version: 1.0
Generator: wheel_of_two
Root-Is-Purelib: true
Tag: py3-none-any
"""


def build_wheel(
    wheel_directory: str,
    config_settings: object = None,
    metadata_directory: str | None = None,
) -> str:
    """Make the wheel in this directory; return its name."""
    stem = "{}-{}".format(normal(PROJECT["project"]), PROJECT["project"]["version"])
    name = f"{stem}-py3-none-any.whl"
    record = f"{stem}.dist-info/RECORD"
    lines = []
    with zipfile.ZipFile(
        Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED
    ) as file:
        for path, text in contents(stem).items():
            data = text.encode()
            digest = urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
            lines.append(f"{path},sha256={digest.rstrip('=')},{len(data)}\n")
            file.writestr(path, data)
        file.writestr(record, "".join([*lines, f"{record},,\n"]))
    return name


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    """Make an archive of the sources in this directory; return its name."""
    project = PROJECT["project"]
    stem = f"{normal(project)}-{project['version']}"
    with tarfile.open(Path(sdist_directory) / f"{stem}.tar.gz", "w:gz") as archive:
        for name in ("pyproject.toml", "README.md", "wheel_of_two.py", "gunicorn"):
            archive.add(HERE / name, f"{stem}/{name}", filter=without_caches)
        data = metadata(project).encode()
        info = tarfile.TarInfo(f"{stem}/PKG-INFO")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return f"{stem}.tar.gz"


def contents(stem: str) -> dict[str, str]:
    """All files of the wheel but its list of them: by path, the text."""
    project, other = PROJECT["project"], PROJECT["tool"]["gunicorn"]
    ours = f"{stem}.dist-info"
    # Without a RECORD it belongs to the one that INSTALLER names.
    theirs = f"{stem}.data/purelib/gunicorn-{other['version']}.dist-info"
    named = {
        "name": "gunicorn",
        "version": other["version"],
        "description": project["description"],
        "requires-python": project["requires-python"],
    }
    scripts = {"console_scripts": project["scripts"]}
    return {
        "gunicorn/__init__.py": (HERE / "gunicorn/__init__.py").read_text(),
        f"{ours}/METADATA": metadata(project),
        f"{ours}/WHEEL": WHEEL,
        f"{ours}/entry_points.txt": entry_points(scripts),
        f"{theirs}/METADATA": metadata(named),
        f"{theirs}/INSTALLER": f"{project['name']}\n",
        f"{theirs}/entry_points.txt": entry_points(other["entry-points"]),
    }


def metadata(project: Mapping[str, Any]) -> str:
    """What is said of a distribution (core metadata, 2.1)."""
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {one}" for one in project.get("dependencies", ())),
    ]
    if "readme" not in project:
        return "\n".join(lines) + "\n"
    readme = (HERE / project["readme"]).read_text()
    return "\n".join([*lines, "Description-Content-Type: text/markdown", "", readme])


def entry_points(groups: Mapping[str, Mapping[str, str]]) -> str:
    """The file of that name."""
    return "".join(
        f"[{group}]\n" + "".join(f"{name} = {what}\n" for name, what in them.items())
        for group, them in groups.items()
    )


def normal(project: Mapping[str, Any]) -> str:
    """The name of a project, in names of files."""
    return str(project["name"]).replace("-", "_")


def without_caches(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what Python has compiled."""
    return None if "__pycache__" in info.name else info
