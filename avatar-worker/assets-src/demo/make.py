"""Make the demo avatar from the portrait beside this file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

import avatar_worker
from avatar_worker.avatars.builder.portrait.build import build_portrait
from avatar_worker.avatars.format import write_avatar
from avatar_worker.version import __version__

PHOTO = Path(__file__).with_name("portrait.png")
OUT = Path(avatar_worker.__file__).parent / "assets" / "avatars" / "demo.hvia"
CREATED = "2026-11-22T12:00:00Z"
LICENCE = {
    "spdx": "CC0-1.0",
    "url": "https://creativecommons.org/publicdomain/zero/1.0/",
    "authors": [],
    "credit": "unnecessary",
    "commercial_use": True,
    "redistribution": True,
    "modification": "allowed",
    "deny": [],
}


def main() -> None:
    """Write the file; the same bytes from the same photo and code."""
    photo = PHOTO.read_bytes()
    picture = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    avatar = build_portrait(
        np.ascontiguousarray(picture[:, :, ::-1], np.uint8),
        avatar_id="demo",
        name="Demo",
        consent={"subject": "synthetic"},
        licence=LICENCE,
        provenance={
            "tool": {"name": "avatar-worker", "version": __version__},
            "digital_source_type": "algorithmicMedia",
            "ai_edits": ["matting", "inpainting"],
            "sources": [
                {
                    "kind": "render",
                    "sha256": hashlib.sha256(photo).hexdigest(),
                    "size": [width, height],
                }
            ],
        },
        created=CREATED,
    )
    OUT.parent.mkdir(exist_ok=True)
    write_avatar(avatar, OUT)


if __name__ == "__main__":
    main()
