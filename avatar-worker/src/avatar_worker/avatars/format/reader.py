"""Read an avatar: envelope, manifest, rights, then payloads; nothing is trusted before its check."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np

from avatar_worker.avatars.avatar import Avatar, Layer
from avatar_worker.errors import AvatarCorruptError, AvatarNotFoundError

from .container import Container, check_magic, check_size, open_container
from .fault import FormatFault, fail
from .images import ImageHeader, decode, read_header
from .manifest import check_references, check_version, validate
from .policy import Policy, check_rights, check_signature
from .portrait import build_rig, canvas_of, expected_tensors, subject_of
from .schema import Manifest
from .tensors import expected_bytes, load_tensors

MAX_HOST_BYTES: Final = 2**30
MAX_DEVICE_BYTES: Final = 256 * 2**20
MAX_PIXELS: Final = 64_000_000
MAX_VIDEO_FRAMES: Final = 3000


def read_avatar(
    source: str | os.PathLike[str] | bytes, *, avatar_id: str, policy: Policy | None = None
) -> Avatar:
    """Return the avatar in a file or in memory.

    Args:
        source: A path, or the whole file.
        avatar_id: The served id, for the avatar and for errors.
        policy: Whose use of the file is checked; `None` applies the default policy.

    Raises:
        AvatarNotFoundError: If there is no such file.
        AvatarUnsupportedError: If the file is foreign or too new.
        AvatarCorruptError: If its bytes break a rule.
        AvatarRefusedError: If it may not be used.
    """
    return load(source, avatar_id=avatar_id, policy=policy)[0]


def load(
    source: str | os.PathLike[str] | bytes, *, avatar_id: str, policy: Policy | None = None
) -> tuple[Avatar, Manifest]:
    """Return the avatar and its checked manifest; all else as `read_avatar`."""
    name = f"{avatar_id}.hvia" if isinstance(source, bytes) else Path(source).name
    data = source if isinstance(source, bytes) else read_bytes(Path(source), avatar_id=avatar_id)
    try:
        return _read(open_container(data), avatar_id, policy or Policy())
    except FormatFault as fault:
        raise fault.named(avatar_id, name) from None


def content_id_of(content: bytes, avatar_id: str) -> str:
    """Return the content id of a whole file after checking every byte; errors as `read_avatar`."""
    return read_avatar(content, avatar_id=avatar_id).content_id


def read_bytes(path: Path, *, avatar_id: str) -> bytes:
    """Return the bytes of a file whose size and first bytes are possible (V1, V2).

    Raises:
        AvatarNotFoundError: If there is no such file.
        AvatarUnsupportedError: If the file is foreign.
        AvatarCorruptError: If it is too small, too large, or cannot be read.
    """
    try:
        return _read_file(path)
    except FormatFault as fault:
        raise fault.named(avatar_id, path.name) from None
    except FileNotFoundError as fault:
        raise AvatarNotFoundError(avatar_id) from fault
    except OSError as fault:
        reason = f"{path.name} cannot be read: {fault.strerror or fault}"
        raise AvatarCorruptError(avatar_id, "E_READ", "V1", "file", reason) from fault


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        check_size(size)
        head = file.read(64)
        check_magic(head)
        return head + file.read(size - len(head))


def _checked_manifest(container: Container, policy: Policy) -> Manifest:
    newer = check_version(container.manifest)
    model = validate(container.manifest, newer_minor=newer)
    check_references(model, container.media_types)
    check_signature(container, policy)
    check_rights(container.content_id, model.consent, model.licence, policy)
    return model


def _read(container: Container, avatar_id: str, policy: Policy) -> tuple[Avatar, Manifest]:
    model = _checked_manifest(container, policy)
    headers = _image_headers(container, model)
    _check_resources(model)
    expected = expected_tensors(model)
    arrays = load_tensors(container.take(model.rig.tensors), expected, model.rig.tensors)
    rig = build_rig(model, arrays, model.rig.tensors)
    layers = {}
    for part in model.layers:
        pixels = decode(container.take(part.image), headers[part.image], part.image)
        if part.alpha and pixels.shape[2] == 3:
            pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
            pixels.flags.writeable = False
        layers[part.role] = Layer(part.role, (part.origin[0], part.origin[1]), pixels)
    preview = model.preview.image
    decode(container.take(preview), headers[preview], preview)
    for path in container.media_types:
        if path.startswith("ext/"):
            container.take(path)
    avatar = Avatar(
        id=avatar_id,
        content_id=container.content_id,
        manifest=container.manifest,
        canvas=canvas_of(model),
        subject=subject_of(model),
        rig=rig,
        layers=layers,
    )
    return avatar, model


def _image_headers(container: Container, model: Manifest) -> dict[str, ImageHeader]:
    """Rule V19 for every picture, against index and manifest."""
    announced = [(model.preview.image, model.preview.size, False)]
    announced += [(part.image, part.size, part.alpha) for part in model.layers]
    headers = {}
    for path, size, alpha in announced:
        header = read_header(container.take(path), path)
        if header.media_type != container.media_types[path]:
            fail("E_IMAGE", "V19", path, "is of another type than the index says")
        if [header.width, header.height] != size:
            fail("E_IMAGE", "V19", path, "is of another size than the manifest says")
        # A picture with alpha may have been stored without, if it is opaque throughout.
        if header.channels == 4 and not alpha or header.channels == 1 and alpha:
            fail("E_IMAGE", "V19", path, "has other channels than the manifest says")
        headers[path] = header
    return headers


def needed_resources(model: Manifest) -> tuple[int, int, int]:
    """Host bytes, device bytes and pixels that the avatar takes, from the manifest alone."""
    tensors = expected_bytes(expected_tensors(model))
    pixels = sum(part.size[0] * part.size[1] for part in model.layers)
    preview = model.preview.size[0] * model.preview.size[1]
    return tensors + 4 * (pixels + preview), tensors + 4 * pixels, pixels + preview


def _check_resources(model: Manifest) -> None:
    """Rule V14: what is needed <= what is promised <= what is possible."""
    promised = model.resources
    rows = zip(
        ("host_bytes", "device_bytes", "image_pixels", "video_frames"),
        (*needed_resources(model), 0),
        (MAX_HOST_BYTES, MAX_DEVICE_BYTES, MAX_PIXELS, MAX_VIDEO_FRAMES),
        strict=True,
    )
    for key, needed, limit in rows:
        if not needed <= getattr(promised, key) <= limit:
            reason = f"is not between the {needed} needed and the {limit} possible"
            fail("E_RESOURCE", "V14", f"$.resources.{key}", reason)
