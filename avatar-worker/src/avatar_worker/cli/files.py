"""`download-files`: models that are not part of the package."""

from __future__ import annotations

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("download-files")(download_files)


def download_files() -> None:
    """Fetch the face landmark model, which only `avatars build` needs.

    Serving and rendering need no download: their models come with the package.
    """
    from avatar_worker.avatars.builder.models import download_models

    path = download_models(lambda line: typer.echo(line, err=True))
    typer.echo(f"the face landmark model is at {path}")
