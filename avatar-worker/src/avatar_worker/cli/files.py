"""`download-files`: what building avatars needs beside the package."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("download-files")(download_files)


def download_files() -> None:
    """Fetch the face landmark model and compile the matting, which only `avatars build` needs.

    Serving and rendering need no download: their models come with the package.
    """
    from avatar_worker.avatars.builder.models import download_models

    def tell(line: str) -> None:
        typer.echo(line, err=True)

    path = download_models(tell)
    typer.echo(f"the face landmark model is at {path}")
    if find_spec("pymatting") is None:
        tell("to build avatars, install avatar-worker[build]")
        return
    tell("compiling what cuts persons out; the first time takes a minute ...")
    # The library compiles its loops when it is imported, and keeps them.
    import_module("pymatting")
