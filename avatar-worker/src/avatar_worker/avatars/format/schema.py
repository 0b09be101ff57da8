"""The keys of a portrait avatar's manifest, their types and their limits."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_SIDE: Final = 4096
MAX_COORDINATE: Final = 16_384

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Path = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/-]{0,99}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Text = Annotated[str, StringConstraints(max_length=4096)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Size = Annotated[list[Side], Field(min_length=2, max_length=2)]
Coordinate = Annotated[float, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=MAX_COORDINATE, allow_inf_nan=False)]
Degrees = Annotated[float, Field(ge=0, le=90, allow_inf_nan=False)]
Gain = Annotated[float, Field(ge=-8, le=8, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0, le=2**40)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CanvasPart(_Part):
    """The picture. Sides are even because chroma is halved."""

    width: Annotated[int, Field(ge=16, le=MAX_SIDE, multiple_of=2)]
    height: Annotated[int, Field(ge=16, le=MAX_SIDE, multiple_of=2)]
    fps: Literal[24, 25, 30, 50, 60]
    matrix: Literal["bt601", "bt709"]
    range: Literal["limited", "full"]


class PoseLimitPart(_Part):
    """Degrees."""

    yaw: Degrees
    pitch: Degrees
    roll: Degrees


class SubjectPart(_Part):
    """Measures of the person, canvas pixels."""

    iod_px: Positive
    mouth_width_px: Positive
    neck_pivot_px: Annotated[list[Coordinate], Field(min_length=3, max_length=3)]
    focal_px: Positive
    pose_limit_deg: PoseLimitPart


class ControlsPart(_Part):
    """The rows of `arkit_to_shape`: ARKit's 52, then `extra`."""

    vocabulary: Literal["arkit-52"]
    extra: Annotated[list[Name], Field(max_length=64)]
    gain: Annotated[dict[Name, Gain], Field(max_length=128)]


class MeshPart(_Part):
    """A mesh whose arrays lie in the rig's tensors."""

    name: Name
    cell_px: Annotated[int, Field(ge=1, le=256)]
    vertices: Annotated[int, Field(ge=3, le=2**17)]
    triangles: Annotated[int, Field(ge=1, le=2**18)]
    origin: Annotated[list[int], Field(min_length=2, max_length=2)]
    layers: Annotated[list[Name], Field(min_length=1, max_length=4)]


class SlitPart(_Part):
    """An opening; `contour` and `seam` count points."""

    name: Name
    mesh: Name
    contour: Annotated[int, Field(ge=3, le=1024)]
    seam: Annotated[int, Field(ge=2, le=1024)]
    inner: Annotated[list[Name], Field(max_length=16)]


class InteriorPart(_Part):
    """How far the parts seen through the slits travel, canvas pixels at weight 1."""

    mouth_down: Annotated[list[Coordinate], Field(min_length=2, max_length=2)]
    jaw_px: Coordinate
    tongue_jaw_px: Coordinate
    tongue_up_px: Coordinate
    gaze_px: Coordinate


class RigPart(_Part):
    """Geometry."""

    tensors: Path
    shapes: Annotated[list[Name], Field(min_length=1, max_length=256)]
    meshes: Annotated[list[MeshPart], Field(min_length=1, max_length=16)]
    slits: Annotated[list[SlitPart], Field(max_length=16)]
    interior: InteriorPart | None = None


class LayerPart(_Part):
    """A texture."""

    role: Name
    image: Path
    size: Size
    alpha: bool
    origin: Annotated[list[int], Field(min_length=2, max_length=2)] = [0, 0]


class SwayPart(_Part):
    """Degrees."""

    yaw: Degrees
    pitch: Degrees
    roll: Degrees


class IdlePart(_Part):
    """How the avatar lives while it is silent."""

    style: Annotated[str, StringConstraints(max_length=64)]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    blink_per_min: Annotated[float, Field(ge=0, le=120)]
    breath_per_min: Annotated[float, Field(ge=0, le=120)]
    sway_deg: SwayPart


class ResourcesPart(_Part):
    """What the avatar takes, promised before it is taken."""

    host_bytes: Bytes
    device_bytes: Bytes
    image_pixels: Bytes
    video_frames: Bytes


class PreviewPart(_Part):
    """A small picture for listings."""

    image: Path
    size: Size


class LicencePart(_Part):
    """Who may do what with the avatar."""

    spdx: Annotated[str, StringConstraints(max_length=128)]
    url: Text
    authors: Annotated[list[Text], Field(max_length=64)]
    credit: Literal["required", "unnecessary"]
    commercial_use: bool
    redistribution: bool
    modification: Literal["allowed", "denied"]
    deny: Annotated[list[Text], Field(max_length=64)]


class ConsentPart(_Part):
    """Who is shown. A real person needs every key (rule V26)."""

    subject: Literal["none", "synthetic", "public_domain", "real_person"]
    granted_on: Day | None = None
    expires_on: Day | None = None
    scope: Annotated[list[Text], Field(max_length=16)] | None = None
    statement_sha256: Sha256 | None = None
    evidence: Text | None = None
    contact: Text | None = None
    revocation: Text | None = None


class ToolPart(_Part):
    """What wrote the file."""

    name: Text
    version: Text


class SourcePart(_Part):
    """What the avatar was made from; the source itself is not stored."""

    kind: Literal["photo", "video", "render", "drawing"]
    sha256: Sha256
    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    duration_s: Annotated[float, Field(ge=0)] | None = None


class ProvenancePart(_Part):
    """Where the picture came from; `digital_source_type` is an IPTC NewsCode."""

    tool: ToolPart
    digital_source_type: Text
    ai_edits: Annotated[list[Text], Field(max_length=64)]
    sources: Annotated[list[SourcePart], Field(max_length=64)]


class DisclosurePart(_Part):
    """What viewers are told, by language."""

    label: Annotated[dict[Text, Text], Field(max_length=128)]
    show: Literal["start", "always"]


class Manifest(_Part):
    """`manifest.json` of a portrait avatar."""

    format: Literal["hvia"]
    version: str
    min_reader: str
    kind: Literal["portrait"]
    id: Annotated[str, StringConstraints(max_length=128)]
    name: Text
    created: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
    requires: Annotated[list[Text], Field(max_length=64)]
    uses: Annotated[list[Text], Field(max_length=64)]
    canvas: CanvasPart
    subject: SubjectPart
    controls: ControlsPart
    rig: RigPart
    layers: Annotated[list[LayerPart], Field(min_length=1, max_length=64)]
    idle: IdlePart
    resources: ResourcesPart
    preview: PreviewPart
    licence: LicencePart
    consent: ConsentPart
    provenance: ProvenancePart
    disclosure: DisclosurePart
    ext: dict[Text, Any]
