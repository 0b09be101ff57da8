"""An avatar in memory: what the reader gives and the renderers take. Read-only, shared by sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Canvas:
    """The picture's size and colour coding.

    Attributes:
        width: In pixels, even.
        height: In pixels, even.
        fps: Frames per second; divides 48000.
        matrix: `bt601` or `bt709`.
        range: `limited` or `full`.
    """

    width: int
    height: int
    fps: int
    matrix: str
    range: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Measures of the person in the picture, in canvas pixels.

    Attributes:
        iod_px: Inter-ocular distance, iris centre to iris centre (`u` in the rig).
        mouth_width_px: Corner to corner.
        neck_pivot_px: (x, y, z) about which the head turns; z points away from the camera.
        focal_px: Focal length of the perspective.
        pose_limit_deg: Largest |yaw|, |pitch|, |roll| that look right.
    """

    iod_px: float
    mouth_width_px: float
    neck_pivot_px: tuple[float, float, float]
    focal_px: float
    pose_limit_deg: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Mesh:
    """A triangle mesh over a rectangle of the texture plane.

    Attributes:
        name: `body`, `mouth`, `eye_l` or `eye_r` (sides by the subject).
        cell_px: Spacing of the regular grid that the vertices lie on.
        origin: Top left vertex (x, y).
        layers: `("skin",)` or `("upper", "lower")`.
        xy: Rest positions = texture coordinates, canvas pixels. float32, (V, 2).
        depth: Away from the camera, canvas pixels. float32, (V,).
        tri: Vertex indices, positive signed area at rest. int32, (T, 3).
        delta: Displacement in canvas pixels at weight 1. float16, (layers, K, V, 2).
        pose_weight: How much a vertex follows the head, 0 (body) to 1. float32, (V,).
    """

    name: str
    cell_px: int
    origin: tuple[int, int]
    layers: tuple[str, ...]
    xy: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]
    tri: npt.NDArray[np.int32]
    delta: npt.NDArray[np.float16]
    pose_weight: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Slit:
    """An opening in the skin over an interior.

    Attributes:
        name: `mouth`, `lid_l` or `lid_r` (sides by the subject).
        mesh: The mesh whose two layers slide apart.
        contour: Closed outline at rest, canvas pixels. float32, (P, 2).
        seam: Where the edges meet when closed, corner to corner. float32, (S, 2).
        inner: Roles of the layers seen through it, back to front.
    """

    name: str
    mesh: str
    contour: npt.NDArray[np.float32]
    seam: npt.NDArray[np.float32]
    inner: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rig:
    """How controls move the picture.

    Attributes:
        shapes: Names of the K shapes; `close` always has weight 1.
        arkit_to_shape: Shape weights = controls @ this, in `CONTROL_NAMES` order. float32, (54, K).
        landmarks: 478 face landmarks in canvas pixels. float32, (478, 3).
        meshes: Body first.
        slits: Mouth and both lids.
    """

    shapes: tuple[str, ...]
    arkit_to_shape: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    meshes: tuple[Mesh, ...]
    slits: tuple[Slit, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One texture.

    Attributes:
        role: `plate`, `skin`, `mask_upper`, `teeth_upper`, `eye_l`, ...
        origin: Where its top left pixel lies in the texture plane (x, y).
        pixels: sRGB, straight alpha where there are four channels. uint8, (h, w, 1 | 3 | 4).
    """

    role: str
    origin: tuple[int, int]
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Avatar:
    """A portrait avatar, validated and decoded.

    Attributes:
        id: The served id: the file name without `.hvia`.
        content_id: `sha256:` and the hash of the file's index; equal content, equal id.
        manifest: The whole manifest as parsed JSON, read-only by convention.
        canvas: Size and colour.
        subject: Measures.
        rig: Geometry.
        layers: Textures by role.
    """

    id: str
    content_id: str
    manifest: Mapping[str, Any]
    canvas: Canvas
    subject: Subject
    rig: Rig
    layers: Mapping[str, Layer]
