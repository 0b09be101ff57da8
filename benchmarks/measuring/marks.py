"""Marks that a machine can read in a picture after any codec, and the sound they belong to.

A row of 16 cells at the top counts pictures in Gray code, so that a smeared neighbour is at most
one picture off. A block in the middle is white when the sound of this picture is loud, a bar at
the bottom when the avatar speaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import VideoFrame

BITS: Final = 16
BLACK: Final = 16
WHITE: Final = 235
LOUD: Final = 10 ** (-30 / 20)
"""RMS from which sound counts as loud: -30 dBFS."""

Luma = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Marks:
    """What a picture says.

    Attributes:
        count: Which picture it is, modulo 65536.
        loud: The sound that belongs to it is loud.
        speaking: It was drawn from speech.
    """

    count: int
    loud: bool
    speaking: bool


def is_loud(samples: npt.NDArray[np.float32]) -> bool:
    """Whether sound in [-1, 1] is loud; none is not."""
    return bool(len(samples)) and float(np.sqrt(np.mean(np.square(samples)))) >= LOUD


def paint(luma: Luma, marks: Marks) -> None:
    """Draw marks into a picture's brightness, uint8 (height, width), in place."""
    gray = (marks.count ^ (marks.count >> 1)) & 0xFFFF
    for bit in range(BITS):
        _cell(luma, bit)[:] = WHITE if gray >> (BITS - 1 - bit) & 1 else BLACK
    _block(luma)[:] = WHITE if marks.loud else BLACK
    _bar(luma)[:] = WHITE if marks.speaking else BLACK


def paint_frame(frame: VideoFrame, marks: Marks) -> None:
    """Draw marks into an I420 frame; they are grey whatever colour was there."""
    size = frame.width * frame.height
    paint(frame.data[:size].reshape(frame.height, frame.width), marks)


def read(luma: Luma) -> Marks:
    """Read the marks of a picture, whatever its size is after scaling."""
    gray = 0
    for bit in range(BITS):
        gray = gray << 1 | _is_white(_cell(luma, bit))
    count = gray
    for shift in (8, 4, 2, 1):
        count ^= count >> shift
    return Marks(count, loud=_is_white(_block(luma)), speaking=_is_white(_bar(luma)))


def _is_white(region: Luma) -> bool:
    # Codecs smear edges: only the inner half counts.
    height, width = region.shape
    inner = region[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return float(inner.mean()) > (WHITE + BLACK) / 2


def _cell(luma: Luma, bit: int) -> Luma:
    height, width = luma.shape
    return luma[: height // 16, bit * width // BITS : (bit + 1) * width // BITS]


def _block(luma: Luma) -> Luma:
    height, width = luma.shape
    return luma[3 * height // 8 : 5 * height // 8, 3 * width // 8 : 5 * width // 8]


def _bar(luma: Luma) -> Luma:
    height, width = luma.shape
    return luma[13 * height // 16 : 15 * height // 16, width // 4 : 3 * width // 4]
