"""`render`: speech in, video file out, no server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(render)


def render(
    speech: Annotated[Path, typer.Argument(help="A sound file with speech, e.g. speech.wav.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The video to write, .mp4.")],
    avatar: Annotated[str, typer.Option(help="An avatar's id, or a .hvia file.")] = "demo",
    renderer: Annotated[str, typer.Option(help="auto, cpu, cuda or reference.")] = "auto",
    marks: Annotated[
        Path | None,
        typer.Option(help="Moods and gestures with their seconds, .json.", show_default=False),
    ] = None,
) -> None:
    """Render an avatar that speaks a sound file into a video with sound."""
    from avatar_worker.config import read_settings
    from avatar_worker.errors import ConfigError

    from .bar import progress_bar
    from .named import open_avatar

    if not speech.is_file():
        raise ConfigError(f"there is no sound file {speech}")
    if out.suffix.lower() != ".mp4":
        raise ConfigError(f"{out} should end in .mp4")
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent}")
    settings = read_settings(renderer=renderer)
    opened = open_avatar(avatar, settings.avatars)

    from avatar_worker.output.marks import read_marks
    from avatar_worker.output.offline import render_file

    cues = read_marks(marks) if marks is not None else []

    began = time.monotonic()
    with progress_bar("rendering") as progress:
        render_file(speech, opened, out, renderer=settings.renderer, marks=cues, progress=progress)
    typer.echo(f"wrote {out} in {time.monotonic() - began:.1f} s")
