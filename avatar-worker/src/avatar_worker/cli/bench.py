"""`bench`: measurements, from a checkout of the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(bench)


def bench(
    name: Annotated[str, typer.Argument(help="Which one, e.g. render or join.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    short: Annotated[bool, typer.Option("--short", help="End within 25 seconds.")] = False,
) -> None:
    """Measure this machine. Needs a checkout of the repository as the current folder."""
    from avatar_worker.errors import ConfigError

    root = _repository(Path.cwd())
    if root is None:
        raise ConfigError(
            "benchmarks are not part of the package: clone the repository and run "
            "`avatar-worker bench` inside it"
        )
    known = sorted(path.stem for path in (root / "benchmarks").glob("[a-z]*.py"))
    if name not in known:
        raise ConfigError(f"there is no benchmark {name!r}; there are: {', '.join(known)}")
    flags = [flag for flag, on in (("--json", json), ("--short", short)) if on]
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *flags], cwd=root)
    raise typer.Exit(done.returncode)


def _repository(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        if (folder / "benchmarks").is_dir() and (folder / "avatar-worker").is_dir():
            return folder
    return None
