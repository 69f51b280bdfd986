"""An environment for the servers: one per interpreter, apart from .venv."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


@dataclass(frozen=True)
class Environment:
    """Where the servers are installed, and which could not be."""

    bin: Path
    python: str  # "3.11.7"
    interpreter: str  # its path
    versions: dict[str, str]
    failures: dict[str, str]


def default_python() -> str:
    """
    Choose the reference interpreter, CPython 3.11, or the one that runs.

    The distribution's first, since that is what serves. How an interpreter was
    compiled matters: a loop of calls and dictionaries took 1.5 times as long on a
    3.11.7 compiled with plain -O3 as on Debian's 3.11.2.
    """
    for python in ("/usr/bin/python3.11", shutil.which("python3.11")):
        if python and os.access(python, os.X_OK) and has_venv(python):
            return python
    return sys.executable


def has_venv(python: str) -> bool:
    """Tell whether an interpreter can make environments; Debian's needs a package."""
    return not subprocess.run(
        [python, "-c", "import ensurepip, venv"], capture_output=True
    ).returncode


def prepare(python: str) -> Environment:
    """
    Make the environment of *python*, or find it as the last run left it.

    A peer that does not install (bjoern on the newest interpreters) is left
    out with the reason; Tiamat itself must install.
    """
    version = ask(python, "import platform; print(platform.python_version())")
    usual = python == default_python()
    folder = ROOT / (".venv-bench" if usual else f".venv-bench-{version}")
    wanted = f"{python} {version}\n{ROOT}\n{(ROOT / 'pyproject.toml').read_text()}"
    wanted += REQUIREMENTS.read_text()
    stamp, failed = folder / "stamp", folder / "failures.json"
    if not stamp.exists() or stamp.read_text() != wanted:
        failed.unlink(missing_ok=True)
        failures = install(python, folder)
        failed.write_text(json.dumps(failures))
        stamp.write_text(wanted)
    return Environment(
        bin=folder / "bin",
        python=version,
        interpreter=python,
        versions=installed(folder / "bin" / "python"),
        failures=json.loads(failed.read_text()),
    )


def install(python: str, folder: Path) -> dict[str, str]:
    """Install Tiamat and its peers; return the peers that failed, and why."""
    print(f"Making {folder.name} with {python} ...", file=sys.stderr, flush=True)
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--editable", f"{ROOT}[standard,gevent]"], check=True)
    failures = {}
    for line in REQUIREMENTS.read_text().splitlines():
        requirement = line.partition("#")[0].strip()
        if not requirement:
            continue
        done = subprocess.run([*pip, requirement], capture_output=True, text=True)
        if done.returncode:
            reasons = [text for text in done.stderr.splitlines() if "error" in text]
            failures[requirement] = reasons[0].strip() if reasons else "see pip"
    return failures


def installed(python: Path) -> dict[str, str]:
    """Return name and version of every distribution in an environment."""
    code = (
        "import json, importlib.metadata as m;"
        "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    )
    found: dict[str, str] = json.loads(ask(str(python), code))
    return found


def ask(python: str, code: str) -> str:
    """Run *code* in an interpreter and return what it prints."""
    done = subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()
