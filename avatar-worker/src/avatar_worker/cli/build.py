"""`avatars build`: a photo becomes an avatar, with the consent of the person it shows."""

from __future__ import annotations

import hashlib
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

CONSENT_DAYS: Final = 730
DEFAULT_STATEMENT: Final = (
    "I am the person in this picture, or I act with that person's documented permission, and I "
    "agree that a talking avatar is made from it."
)


def build(
    photo: Annotated[Path, typer.Argument(help="A photo of one person who looks at the camera.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The avatar to write, .hvia.")],
    name: Annotated[str | None, typer.Option(help="Its name; by default the file's.")] = None,
    size: Annotated[str, typer.Option(help="Canvas, width x height in pixels.")] = "512x640",
    fps: Annotated[int, typer.Option(help="Frames per second.")] = 25,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The person is invented; nobody real is shown.")
    ] = False,
    public_domain: Annotated[
        bool, typer.Option("--public-domain", help="A picture in the public domain.")
    ] = False,
    consent: Annotated[
        str | None,
        typer.Option(help="For a real person: the statement of consent, as text or as a file."),
    ] = None,
    consent_days: Annotated[
        int, typer.Option(min=1, help="Days from today for which consent is given.")
    ] = CONSENT_DAYS,
    contact: Annotated[
        str | None, typer.Option(help="Whom to ask about the rights to this avatar.")
    ] = None,
) -> None:
    """Make an avatar from a photo.

    A real person must have agreed: say so with --consent, or when asked. The file keeps the date
    and a hash of the statement, never the statement itself. Keep that safe.
    """
    from avatar_worker.errors import ConfigError

    if not photo.is_file():
        raise ConfigError(f"there is no picture {photo}")
    if out.suffix != ".hvia":
        raise ConfigError(f"{out} should end in .hvia")
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent}")
    width, height = _size(size)
    if synthetic and public_domain:
        raise ConfigError("choose one of --synthetic and --public-domain")
    if synthetic or public_domain:
        block: dict[str, Any] = {"subject": "synthetic" if synthetic else "public_domain"}
    else:
        block = real_person(_statement(consent), contact, consent_days, date.today())
    _build(photo, out, name=name or out.stem, canvas=(width, height), fps=fps, consent=block)


def real_person(statement: str, contact: str | None, days: int, today: date) -> dict[str, Any]:
    """Return the consent block of a manifest; the statement goes in as its hash."""
    return {
        "subject": "real_person",
        "granted_on": today.isoformat(),
        "expires_on": (today + timedelta(days=days)).isoformat(),
        "scope": ["realtime"],
        "statement_sha256": hashlib.sha256(statement.encode()).hexdigest(),
        "evidence": "held by the operator",
        "contact": contact or "the operator of the worker",
        "revocation": "none",
    }


def _statement(given: str | None) -> str:
    """Return the statement of consent, asked for at a terminal where none was given."""
    from avatar_worker.errors import AvatarRefusedError

    if given is not None and given.strip():
        is_file = len(given) < 1024 and Path(given).is_file()
        return Path(given).read_text(encoding="utf-8") if is_file else given
    if sys.stdin.isatty():
        typer.echo(
            f"Does the picture show a real person? Then this must be true:\n\n  {DEFAULT_STATEMENT}\n"
        )
        if typer.confirm("Do you confirm it?", default=False):
            return DEFAULT_STATEMENT
    raise AvatarRefusedError(
        "E_CONSENT",
        "an avatar of a real person needs that person's consent: state it with --consent, or say "
        "--synthetic or --public-domain where nobody has to be asked",
    )


def _size(text: str) -> tuple[int, int]:
    from avatar_worker.errors import ConfigError

    width, x, height = text.lower().partition("x")
    if not (x and width.isdigit() and height.isdigit()):
        raise ConfigError(f"--size {text} is not width x height, e.g. 512x640")
    return int(width), int(height)


def _build(
    photo: Path,
    out: Path,
    *,
    name: str,
    canvas: tuple[int, int],
    fps: int,
    consent: dict[str, Any],
) -> None:
    raise NotImplementedError
