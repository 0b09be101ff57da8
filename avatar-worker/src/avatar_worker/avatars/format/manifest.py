"""Is the manifest one we can read, and does it fit the file (rules V10 to V13)?"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from .container import MANIFEST
from .fault import fail
from .schema import Manifest

FORMAT: Final = "hvia"
VERSION: Final = (1, 0)
KNOWN_REQUIRES: Final = frozenset({"rig.slit/1"})


def check_version(manifest: Mapping[str, Any]) -> bool:
    """Rule V10, and the kind. Return whether the file's minor version is newer than ours.

    Raises:
        FormatFault: `E_FOREIGN`, `E_VERSION`, or `E_REQUIRES` for a kind that is not read here.
    """
    if manifest.get("format") != FORMAT:
        fail("E_FOREIGN", "V10", "$.format", "is not hvia")
    version, needed = (_version(manifest, key) for key in ("version", "min_reader"))
    ours = f"{VERSION[0]}.{VERSION[1]}"
    if version[0] != VERSION[0] or needed > VERSION:
        there = manifest["version"]
        fail("E_VERSION", "V10", "$.version", f"it is of version {there}, this worker reads {ours}")
    kind = manifest.get("kind")
    if kind in ("video", "calibration"):
        fail("E_REQUIRES", "V12", "$.kind", f"it is a {kind} avatar, this worker draws portraits")
    return version > VERSION


def validate(manifest: dict[str, Any], *, newer_minor: bool) -> Manifest:
    """Rules V11 and V12.

    Args:
        manifest: The parsed JSON.
        newer_minor: Unknown keys are then ignored instead of refused.

    Raises:
        FormatFault: `E_MANIFEST` with the JSON path, or `E_REQUIRES`.
    """
    model = _model(manifest, newer_minor)
    unknown = [name for name in model.requires if name not in KNOWN_REQUIRES]
    if unknown:
        fail("E_REQUIRES", "V12", "$.requires", f"it requires {', '.join(sorted(unknown))}")
    _unique("$.rig.shapes", model.rig.shapes)
    _unique("$.rig.meshes", [mesh.name for mesh in model.rig.meshes])
    _unique("$.rig.slits", [slit.name for slit in model.rig.slits])
    _unique("$.layers", [layer.role for layer in model.layers])
    _unique("$.controls.extra", model.controls.extra)
    meshes = {mesh.name for mesh in model.rig.meshes}
    for i, slit in enumerate(model.rig.slits):
        if slit.mesh not in meshes:
            fail("E_MANIFEST", "V11", f"$.rig.slits[{i}].mesh", "is not a mesh")
    sizes = {layer.role: layer.size for layer in model.layers}
    for role in ("plate", "skin"):
        if sizes.get(role) != [model.canvas.width, model.canvas.height]:
            fail("E_MANIFEST", "V11", "$.layers", f"has no {role} of the canvas's size")
    return model


def check_references(model: Manifest, media_types: Mapping[str, str]) -> None:
    """Rule V13: what is named exists with the right type, and what exists is named.

    Raises:
        FormatFault: `E_REFERENCE`.
    """
    named: dict[str, tuple[str, ...]] = {
        MANIFEST: ("application/json",),
        model.rig.tensors: ("application/vnd.safetensors",),
    }
    images = ("image/webp", "image/png")
    for path in (model.preview.image, *(layer.image for layer in model.layers)):
        if path in named:
            fail("E_REFERENCE", "V13", path, "is named twice")
        named[path] = images
    for path, allowed in named.items():
        if path not in media_types:
            fail("E_REFERENCE", "V13", path, "is named in the manifest but not in the file")
        if media_types[path] not in allowed:
            fail("E_REFERENCE", "V13", path, f"is listed as {media_types[path]}")
    for path in media_types:
        if path not in named and not path.startswith("ext/"):
            fail("E_REFERENCE", "V13", path, "is in the file but not in the manifest")


def _version(manifest: Mapping[str, Any], key: str) -> tuple[int, int]:
    text = manifest.get(key)
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", text) if isinstance(text, str) else None
    if match is None:
        fail("E_VERSION", "V10", f"$.{key}", "it does not say of which version it is")
    return int(match[1]), int(match[2])


def _model(manifest: dict[str, Any], newer_minor: bool) -> Manifest:
    try:
        return Manifest.model_validate_json(json.dumps(manifest))
    except ValidationError as fault:
        faults = fault.errors(include_url=False, include_input=False, include_context=False)
    unknown = [row["loc"] for row in faults if row["type"] == "extra_forbidden"]
    if newer_minor and len(unknown) == len(faults):
        return _model(_without(manifest, unknown), newer_minor=False)
    first = faults[0]
    return fail("E_MANIFEST", "V11", _json_path(first["loc"]), first["msg"].lower())


def _without(manifest: dict[str, Any], paths: list[tuple[int | str, ...]]) -> dict[str, Any]:
    known = copy.deepcopy(manifest)
    for *parents, key in paths:
        part: Any = known
        for step in parents:
            part = part[step]
        del part[key]
    return known


def _json_path(location: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{x}]" if isinstance(x, int) else f".{x}" for x in location)


def _unique(where: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        fail("E_MANIFEST", "V11", where, "has a name twice")
