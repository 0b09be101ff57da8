"""`avatars build`: a photo becomes an avatar, with the consent of the person it shows."""

from __future__ import annotations

import hashlib
import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from avatar_worker.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from avatar_worker.avatars import Avatar
    from avatar_worker.avatars.builder.background import Background

CONSENT_DAYS: Final = 730
PRIVATE: Final = "LicenseRef-Private"
MIN_SIDE, MAX_SIDE = 256, 1280
RATES: Final = (24, 25, 30, 50, 60)
SERVED_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
DEFAULT_STATEMENT: Final = (
    "I am the person in this picture, or I act with that person's documented permission, and I "
    "agree that a talking avatar is made from it."
)


def build(
    photo: Annotated[Path, typer.Argument(help="A photo of one person who looks at the camera.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The avatar to write, .hvia.")],
    name: Annotated[str | None, typer.Option(help="Its name; by default the file's.")] = None,
    size: Annotated[
        str, typer.Option(help="Canvas, width x height in pixels: 480x640, 720x960, 512x512 ...")
    ] = "512x640",
    background: Annotated[
        str, typer.Option(help="keep, blur, a colour as #rrggbb, or a picture file.")
    ] = "keep",
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
        int, typer.Option(min=1, max=36_500, help="Days from today for which consent is given.")
    ] = CONSENT_DAYS,
    contact: Annotated[
        str | None, typer.Option(help="Whom to ask about the rights to this avatar.")
    ] = None,
    licence: Annotated[
        str, typer.Option(help="SPDX id of the avatar's licence; by default it stays yours.")
    ] = PRIVATE,
    licence_url: Annotated[str, typer.Option(help="Where the licence can be read.")] = "",
    author: Annotated[
        list[str] | None, typer.Option(help="Whom to credit; may be given several times.")
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
    if not SERVED_ID.fullmatch(out.stem):
        raise ConfigError(
            f"{out.name} could not be served: an id has letters, digits and ._- and starts with "
            "a letter or digit"
        )
    if fps not in RATES:
        raise ConfigError(f"--fps {fps} is none of {', '.join(map(str, RATES))}")
    canvas = canvas_size(size)
    behind = _background(background)
    if synthetic and public_domain:
        raise ConfigError("choose one of --synthetic and --public-domain")
    if synthetic or public_domain:
        block: dict[str, Any] = {"subject": "synthetic" if synthetic else "public_domain"}
    else:
        block = real_person(_statement(consent), contact, consent_days, datetime.now(UTC).date())
    _build(
        photo,
        out,
        name=name or out.stem,
        canvas=canvas,
        fps=fps,
        background=behind,
        consent=block,
        licence=licence_block(licence, licence_url, author or []),
    )


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


def licence_block(spdx: str, url: str, authors: list[str]) -> dict[str, Any]:
    """Return the licence block of a manifest; a private avatar may not be passed on."""
    private = spdx == PRIVATE
    return {
        "spdx": spdx,
        "url": url or ("" if private else f"https://spdx.org/licenses/{spdx}.html"),
        "authors": authors,
        "credit": "required" if authors else "unnecessary",
        "commercial_use": not private,
        "redistribution": not private,
        "modification": "denied" if private else "allowed",
        "deny": ["impersonation", "political", "sexual", "violent"],
    }


def provenance(photo: Path, rgb: npt.NDArray[np.uint8], *, synthetic: bool) -> dict[str, Any]:
    """Return the provenance block: the source by its hash, and what was done to it."""
    return {
        "tool": {"name": "avatar-worker", "version": __version__},
        "digital_source_type": "algorithmicMedia" if synthetic else "digitalCapture",
        "ai_edits": ["matting", "inpainting"],
        "sources": [
            {
                "kind": "render" if synthetic else "photo",
                "sha256": hashlib.sha256(photo.read_bytes()).hexdigest(),
                "size": [rgb.shape[1], rgb.shape[0]],
            }
        ],
    }


def _statement(given: str | None) -> str:
    """Return the statement of consent, asked for at a terminal where none was given."""
    from avatar_worker.errors import AvatarRefusedError

    if given is not None and given.strip():
        is_file = len(given) < 1024 and Path(given).is_file()
        return Path(given).read_bytes().decode(errors="replace") if is_file else given
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


def canvas_size(text: str) -> tuple[int, int]:
    """Return width and height of `512x640`.

    Raises:
        ConfigError: If it is no size, or one that cannot be encoded or is no portrait's.
    """
    from avatar_worker.errors import ConfigError

    width, x, height = text.lower().partition("x")
    if not (x and width.isdecimal() and height.isdecimal() and len(text) < 12):
        raise ConfigError(f"--size {text} is not width x height, e.g. 512x640")
    size = int(width), int(height)
    if any(side % 2 or not MIN_SIDE <= side <= MAX_SIDE for side in size):
        raise ConfigError(f"--size {text}: sides are even and from {MIN_SIDE} to {MAX_SIDE}")
    if not 0.5 <= size[0] / size[1] <= 2:
        raise ConfigError(f"--size {text}: one side is more than twice the other")
    return size


def _background(text: str) -> Background:
    from avatar_worker.avatars.builder.background import Background, parse_background
    from avatar_worker.errors import ConfigError

    named = parse_background(text)
    if named is not None:
        return named
    if text == "transparent":
        raise ConfigError(
            "--background transparent: video in a room carries no transparency; choose a colour, "
            "e.g. #00b140, and key it out where it is shown"
        )
    if not Path(text).is_file():
        raise ConfigError(f"--background {text} is neither keep, blur, #rrggbb nor a picture file")
    return Background("image", image=_read(Path(text)))


def _build(
    photo: Path,
    out: Path,
    *,
    name: str,
    canvas: tuple[int, int],
    fps: int,
    background: Background,
    consent: dict[str, Any],
    licence: dict[str, Any],
) -> None:
    from avatar_worker.avatars.format import write_avatar
    from avatar_worker.errors import ConfigError

    from .bar import progress_bar

    rgb = _read(photo)
    try:
        from avatar_worker.avatars.builder.portrait.build import build_portrait
        from avatar_worker.avatars.builder.scores import described
    except ImportError as error:
        raise ConfigError(
            "building avatars needs more packages; run: pip install 'avaluma-avatar-worker[build]'"
        ) from error

    measured: dict[str, float] = {}
    with progress_bar("building") as progress:
        avatar = build_portrait(
            rgb,
            avatar_id=out.stem,
            name=name,
            consent=consent,
            canvas=canvas,
            fps=fps,
            background=background,
            licence=licence,
            provenance=provenance(photo, rgb, synthetic=consent["subject"] == "synthetic"),
            progress=lambda step, share: progress(share),
            warn=lambda line: typer.echo(f"note: {line}", err=True),
            report=measured.update,
        )
        _check_usable(avatar)
        content_id = write_avatar(avatar, out)
    for line in described(measured):
        typer.echo(line)
    typer.echo(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB, {content_id})")


def _check_usable(avatar: Avatar) -> None:
    """Refuse what breaks rule V29 in words about the photo: its user never saw a rig."""
    from avatar_worker.errors import AvatarCorruptError, AvatarRefusedError

    from .rig_rule import check_rig

    try:
        check_rig(avatar)
    except AvatarCorruptError as error:
        raise AvatarRefusedError(
            "E_RIG",
            "The face in this photo cannot be moved without creases. Use one that is upright, frontal "
            f"and neutral. ({error})",
        ) from None


def _read(photo: Path) -> npt.NDArray[np.uint8]:
    """Decode a picture in a child, turned as its camera was held. uint8, (h, w, 3), sRGB."""
    from avatar_worker.avatars.builder.picture import MAX_BYTES, read_picture
    from avatar_worker.avatars.confined import ConfinedError, call_confined
    from avatar_worker.errors import AvatarRefusedError

    with photo.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    try:
        return call_confined(read_picture, content)
    except AvatarRefusedError as error:
        raise AvatarRefusedError(error.code, f"{photo}: {error}") from None
    except ConfinedError as error:
        raise AvatarRefusedError(
            "bad_picture", f"{photo}: The picture is refused: {error}."
        ) from None
