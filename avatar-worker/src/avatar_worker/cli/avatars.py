"""`avatars`: list and inspect; the larger commands have modules of their own."""

from __future__ import annotations

import dataclasses
import json as json_module
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from avatar_worker.avatars.library import AvatarEntry

app = typer.Typer(no_args_is_help=True, help="Build, look at, judge and sign avatar files.")


@app.command("list")
def list_avatars(
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the avatars that the worker finds, and why some cannot be used."""
    from avatar_worker.avatars.library import AvatarLibrary
    from avatar_worker.config import read_settings

    folders = read_settings().avatars
    found = AvatarLibrary(folders).list()
    if json:
        for entry in found:
            typer.echo(json_module.dumps(_as_json(entry), ensure_ascii=False))
        return
    if not found:
        typer.echo(f"no avatars in {', '.join(map(str, folders))}")
    for entry in found:
        typer.echo(_line(entry))


@app.command()
def inspect(
    avatar: Annotated[str, typer.Argument(help="An id, or the path of a .hvia file.")],
    json: Annotated[bool, typer.Option("--json", help="The whole manifest.")] = False,
) -> None:
    """Show what an avatar file says about itself: size, rights, consent, where it comes from."""
    from avatar_worker.avatars.format import read_avatar
    from avatar_worker.config import read_settings

    from .named import find

    path = find(avatar, read_settings().avatars)
    opened = read_avatar(path, avatar_id=path.stem)
    manifest = opened.manifest
    if json:
        typer.echo(json_module.dumps(manifest, ensure_ascii=False, indent=2))
        return
    canvas, licence = opened.canvas, manifest["licence"]
    sources = [source["kind"] for source in manifest["provenance"]["sources"]]
    typer.echo(f"{manifest['name']} ({path.name}, {path.stat().st_size / 1e6:.1f} MB)")
    typer.echo(f"picture   {canvas.width} x {canvas.height} at {canvas.fps} frames a second")
    typer.echo(f"content   {opened.content_id}")
    typer.echo(f"licence   {licence['spdx']}; denied: {', '.join(licence['deny']) or 'nothing'}")
    typer.echo(f"shows     {manifest['consent']['subject'].replace('_', ' ')}")
    typer.echo(f"made      {manifest['created']} from {', '.join(sources) or 'nothing named'}")


def _line(entry: AvatarEntry) -> str:
    if not entry.ok:
        return f"{entry.id:<20} refused ({entry.code}): {entry.message}"
    width, height = entry.size
    denied = f"; denied: {', '.join(entry.deny)}" if entry.deny else ""
    shows = entry.subject.replace("_", " ")
    return f"{entry.id:<20} {width}x{height}, {entry.fps} fps, {entry.title} ({shows}){denied}"


def _as_json(entry: AvatarEntry) -> dict[str, object]:
    return {**dataclasses.asdict(entry), "path": str(entry.path)}


def _add_larger_ones() -> None:
    from .avatars_check import check
    from .avatars_preview import preview
    from .avatars_sign import new_key, sign
    from .avatars_verify import verify
    from .build import build

    for command in (build, verify, preview, check, sign):
        app.command()(command)
    app.command("new-key")(new_key)


_add_larger_ones()
