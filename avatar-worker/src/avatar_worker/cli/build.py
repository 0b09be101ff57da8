"""`avatars build`: a photo becomes an avatar, with the consent of the person it shows."""

from __future__ import annotations

import hashlib
import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from avatar_worker.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CONSENT_DAYS: Final = 730
PRIVATE: Final = "LicenseRef-Private"
MAX_PIXELS: Final = 24_000_000
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
    width, height = _size(size)
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
        canvas=(width, height),
        fps=fps,
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
    licence: dict[str, Any],
) -> None:
    from .bar import progress_bar

    rgb = _read(photo)

    from avatar_worker.avatars.builder.portrait.build import build_portrait
    from avatar_worker.avatars.format import write_avatar

    with progress_bar("building") as progress:
        avatar = build_portrait(
            rgb,
            avatar_id=out.stem,
            name=name,
            consent=consent,
            canvas=canvas,
            fps=fps,
            licence=licence,
            provenance=provenance(photo, rgb, synthetic=consent["subject"] == "synthetic"),
            progress=lambda step, share: progress(share),
            warn=lambda line: typer.echo(f"note: {line}", err=True),
        )
        content_id = write_avatar(avatar, out)
    typer.echo(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB, {content_id})")


def _read(photo: Path) -> npt.NDArray[np.uint8]:
    """Decode a picture, turned as its camera was held. uint8, (h, w, 3), sRGB."""
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))  # read at the import
    import cv2
    import numpy as np

    from avatar_worker.errors import AvatarRefusedError

    try:
        bgr = cv2.imdecode(np.fromfile(photo, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        bgr = None
    if bgr is None or bgr.shape[0] * bgr.shape[1] > MAX_PIXELS:
        raise AvatarRefusedError(
            "bad_picture", f"{photo} is no picture of at most {MAX_PIXELS // 10**6} million pixels"
        )
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)
