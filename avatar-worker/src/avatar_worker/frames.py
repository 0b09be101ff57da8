"""The nouns that flow through the worker, in the order they flow.

    AudioChunk -> SegmentEnd -> Features -> FaceControls -> VideoFrame

Every stage imports this module and none of its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .clock import Ticks

OUTPUT_RATE: Final = 48_000
"""Sound is played at this rate, so one sample is one tick."""

ANALYSIS_RATE: Final = 16_000
"""The voice-to-face net listens at this rate."""

ARKIT_NAMES: Final[tuple[str, ...]] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""The 52 ARKit blendshapes, sides named by the subject: `eyeBlinkLeft` is at image right."""

EXTRA_NAMES: Final[tuple[str, ...]] = ("tongueUp", "breath")
"""Channels that ARKit lacks, carried beside its 52."""

CONTROL_NAMES: Final[tuple[str, ...]] = ARKIT_NAMES + EXTRA_NAMES  # 54
CONTROL_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(CONTROL_NAMES)}

MOUTH_NAMES: Final[tuple[str, ...]] = (
    "jawOpen", "lipClose", "mouthFunnel", "mouthPucker", "mouthStretch", "mouthSmile",
    "mouthPress", "lowerLipDown", "upperLipUp", "rollLower", "tongueUp", "tongueOut",
)  # fmt: skip
"""What the voice-to-face net says about the mouth, in its output order. 12."""

VISEME_NAMES: Final[tuple[str, ...]] = (
    "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U",
)  # fmt: skip
"""The 15 Oculus visemes, in the net's output order."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A run of speech inside one segment, at the two rates that the worker needs.

    Attributes:
        segment_id: The utterance this belongs to; grows by one per utterance.
        pcm: Mono samples to be played, 48 kHz. int16, (3 n,).
        analysis: The same sound for the net, 16 kHz, in [-1, 1]. float32, (n,).
    """

    segment_id: int
    pcm: npt.NDArray[np.int16]
    analysis: npt.NDArray[np.float32]

    @property
    def duration(self) -> Ticks:
        """How long the chunk plays: one tick a sample."""
        return Ticks(len(self.pcm))


@dataclass(frozen=True, slots=True)
class SegmentEnd:
    """The last word of an utterance has been received."""

    segment_id: int


@dataclass(frozen=True, slots=True)
class Features:
    """What the voice says about the mouth at one instant.

    Attributes:
        pts: The instant, on the clock of the speech that was fed.
        mouth: Weights in [0, 1], in `MOUTH_NAMES` order. float32, (12,).
        visemes: Probabilities that sum to 1, in `VISEME_NAMES` order. float32, (15,).
    """

    pts: Ticks
    mouth: npt.NDArray[np.float32]
    visemes: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tone:
    """How high and how loud a voice is in 20 ms of speech.

    Attributes:
        pitch_hz: The fundamental, 70 to 400; 0 where the voice has none.
        level_db: RMS relative to full scale, -90 to 0.
    """

    pitch_hz: float
    level_db: float


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Where the head is, relative to the portrait.

    Attributes:
        yaw: Degrees; positive turns the nose to image right.
        pitch: Degrees; positive bows the head.
        roll: Degrees; positive tilts the head clockwise in the image.
        x: Shift to image right, in inter-ocular distances.
        y: Shift downwards, in inter-ocular distances.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class FaceControls:
    """What the face does at one instant.

    Attributes:
        pts: When the frame is shown.
        weights: Blendshape weights in [0, 1], in `CONTROL_NAMES` order (`breath` in [-1, 1]).
            float32, (54,). Gaze: weight 1 of `eyeLookIn*`/`eyeLookOut*` is 30 degrees, of
            `eyeLookUp*` 25, of `eyeLookDown*` 30.
        head: The head's pose.
    """

    pts: Ticks
    weights: npt.NDArray[np.float32]
    head: HeadPose


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One picture.

    Attributes:
        pts: When it is shown.
        width: In pixels, even.
        height: In pixels, even.
        data: I420: the Y plane, then U, then V, without padding. uint8,
            (width * height * 3 // 2,), C-contiguous.
    """

    pts: Ticks
    width: int
    height: int
    data: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        # The SDK reads past the end of a short buffer, into our heap.
        expected = self.width * self.height * 3 // 2
        if self.data.shape != (expected,) or self.data.dtype != np.uint8:
            raise ValueError(f"an I420 frame of {self.width}x{self.height} has {expected} bytes")
