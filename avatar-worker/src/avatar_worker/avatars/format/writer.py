"""Write an avatar: same avatar, same bytes; a file is complete or it is not there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from avatar_worker.avatars.avatar import Avatar, Layer
from avatar_worker.errors import AvatarError
from avatar_worker.frames import EXTRA_NAMES

from .container import DATE, FILE_MODE, INDEX, MANIFEST, MEDIA_TYPES
from .images import PNG, WEBP, encode
from .portrait import MESH_ARRAYS
from .reader import needed_resources, read_avatar
from .schema import Manifest

RIG: Final = "rig.safetensors"
PREVIEW: Final = "preview.webp"

LOSSY_ROLES: Final = ("plate", "skin")
"""The two large photographs; everything else is small or must be exact."""

FROM_BUILDER: Final = (
    "name", "created", "idle", "licence", "consent", "provenance", "disclosure", "ext",
)  # fmt: skip
"""Manifest keys that are not in the avatar's geometry and are taken over as they are."""


def write_avatar(
    avatar: Avatar,
    path: str | os.PathLike[str],
    *,
    preview: npt.NDArray[np.uint8] | None = None,
    lossy: Collection[str] = LOSSY_ROLES,
) -> str:
    """Write `avatar` to `path` and return its content id.

    The file is read back before it replaces another, so that what is written can be read.

    Args:
        avatar: Its manifest brings `name`, `created`, `idle`, `licence`, `consent`, `provenance`,
            `disclosure`, `ext` and, if wanted, `uses`, `requires`, `controls.gain` and `rig.interior`; the rest
            of the manifest follows from the other fields.
        path: Where to; the folder exists.
        preview: A small picture, uint8 (h, w, 3); `None` lays the skin over the plate.
        lossy: Roles of the layers stored as WebP of high quality instead of exactly.

    Raises:
        AvatarError: If the avatar breaks a rule of the format.
        OSError: If the file cannot be written.
    """
    target = Path(path)
    content = pack_avatar(avatar, preview=preview, lossy=lossy)
    content_id = read_avatar(content, avatar_id=avatar.id).content_id
    replace_file(content, target)
    return content_id


def replace_file(content: bytes, target: Path) -> None:
    """Write a file beside its place and move it there: nobody ever sees half of it.

    Raises:
        OSError: If it cannot be written; an older file stays.
    """
    handle, scratch = tempfile.mkstemp(prefix=".writing-", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, target)
    except BaseException:
        os.unlink(scratch)
        raise


def pack_avatar(
    avatar: Avatar,
    *,
    preview: npt.NDArray[np.uint8] | None = None,
    lossy: Collection[str] = LOSSY_ROLES,
) -> bytes:
    """Return the whole file in memory, not read back.

    Arguments as for `write_avatar`.

    Raises:
        AvatarError: If the manifest lacks a key that the builder has to bring.
    """
    lacking = [key for key in FROM_BUILDER if key not in avatar.manifest]
    if lacking:
        raise AvatarError(f"the avatar's manifest lacks {', '.join(lacking)}")
    small = _preview(avatar) if preview is None else preview
    payloads: dict[str, bytes] = {PREVIEW: encode(small, WEBP, quality=85)}
    layers = []
    for layer in avatar.layers.values():
        path, content = _stored(layer, lossy)
        payloads[path] = content
        layers.append(_layer_part(layer, path))
    payloads[RIG] = save(_tensors(avatar))
    manifest = _manifest(avatar, layers, [small.shape[1], small.shape[0]])
    return pack(manifest, payloads)


def pack(manifest: Mapping[str, Any], payloads: Mapping[str, bytes]) -> bytes:
    """Put a manifest and payloads into the envelope, in the given order."""
    files = {MANIFEST: _json(manifest), **payloads}
    rows = [
        {
            "path": path,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "type": MEDIA_TYPES[os.path.splitext(path)[1]],
        }
        for path, content in files.items()
    ]
    files = {MANIFEST: files[MANIFEST], INDEX: _json({"entries": rows}), **payloads}
    return seal(files)


def seal(files: Mapping[str, bytes]) -> bytes:
    """Store `files` as a ZIP in the given order, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path, DATE)
            info.create_system = 3
            info.external_attr = FILE_MODE << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def _stored(layer: Layer, lossy: Collection[str]) -> tuple[str, bytes]:
    if layer.role in lossy and layer.pixels.shape[2] > 1:
        return f"tex/{layer.role.lower()}.webp", encode(layer.pixels, WEBP)
    return f"tex/{layer.role.lower()}.png", encode(layer.pixels, PNG)


def _layer_part(layer: Layer, path: str) -> dict[str, Any]:
    height, width, channels = layer.pixels.shape
    part: dict[str, Any] = {"role": layer.role, "image": path, "size": [width, height]}
    part["alpha"] = channels == 4
    if layer.origin != (0, 0):
        part["origin"] = list(layer.origin)
    return part


def _tensors(avatar: Avatar) -> dict[str, npt.NDArray[Any]]:
    rig = avatar.rig
    tensors: dict[str, npt.NDArray[Any]] = {
        "landmarks": rig.landmarks,
        "arkit_to_shape": rig.arkit_to_shape,
    }
    for mesh in rig.meshes:
        for key in MESH_ARRAYS:
            tensors[f"{mesh.name}/{key}"] = getattr(mesh, key)
    for slit in rig.slits:
        tensors[f"{slit.name}/contour"] = slit.contour
        tensors[f"{slit.name}/seam"] = slit.seam
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def _manifest(
    avatar: Avatar, layers: list[dict[str, Any]], preview_size: list[int]
) -> dict[str, Any]:
    given, canvas, subject = avatar.manifest, avatar.canvas, avatar.subject
    yaw, pitch, roll = subject.pose_limit_deg
    manifest: dict[str, Any] = {
        "format": "hvia",
        "version": "1.0",
        "min_reader": "1.0",
        "kind": "portrait",
        "id": avatar.id,
        "name": given["name"],
        "created": given["created"],
        "requires": list(given.get("requires", ["rig.slit/1"])),
        "uses": list(given.get("uses", ["idle.style/1"])),
        "canvas": {
            "width": canvas.width,
            "height": canvas.height,
            "fps": canvas.fps,
            "matrix": canvas.matrix,
            "range": canvas.range,
        },
        "subject": {
            "iod_px": float(subject.iod_px),
            "mouth_width_px": float(subject.mouth_width_px),
            "neck_pivot_px": [float(x) for x in subject.neck_pivot_px],
            "focal_px": float(subject.focal_px),
            "pose_limit_deg": {"yaw": float(yaw), "pitch": float(pitch), "roll": float(roll)},
        },
        "controls": {
            "vocabulary": "arkit-52",
            "extra": list(EXTRA_NAMES),
            "gain": dict(given.get("controls", {}).get("gain", {})),
        },
        "rig": _rig_part(avatar),
        "layers": layers,
        "idle": given["idle"],
        "resources": {"host_bytes": 0, "device_bytes": 0, "image_pixels": 0, "video_frames": 0},
        "preview": {"image": PREVIEW, "size": preview_size},
        **{key: given[key] for key in FROM_BUILDER[3:]},
    }
    needed = needed_resources(Manifest.model_validate_json(json.dumps(manifest)))
    keys = ("host_bytes", "device_bytes", "image_pixels")
    manifest["resources"] |= dict(zip(keys, needed, strict=True))
    return manifest


def _rig_part(avatar: Avatar) -> dict[str, Any]:
    interior = avatar.manifest.get("rig", {}).get("interior")
    return {
        **({} if interior is None else {"interior": dict(interior)}),
        "tensors": RIG,
        "shapes": list(avatar.rig.shapes),
        "meshes": [
            {
                "name": mesh.name,
                "cell_px": mesh.cell_px,
                "vertices": len(mesh.xy),
                "triangles": len(mesh.tri),
                "origin": [int(x) for x in mesh.origin],
                "layers": list(mesh.layers),
            }
            for mesh in avatar.rig.meshes
        ],
        "slits": [
            {
                "name": slit.name,
                "mesh": slit.mesh,
                "contour": len(slit.contour),
                "seam": len(slit.seam),
                "inner": list(slit.inner),
            }
            for slit in avatar.rig.slits
        ],
    }


def _preview(avatar: Avatar) -> npt.NDArray[np.uint8]:
    """Skin over plate at half size. uint8, (H/2, W/2, 3)."""
    plate, skin = (avatar.layers[role].pixels for role in ("plate", "skin"))
    alpha = skin[..., 3:].astype(np.float32) / 255 if skin.shape[2] == 4 else np.float32(1)
    whole = plate[..., :3] * (1 - alpha) + skin[..., :3] * alpha
    size = (plate.shape[1] // 2, plate.shape[0] // 2)
    half = cv2.resize(np.asarray(whole, np.float32), size, interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(half), 0, 255).astype(np.uint8)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
