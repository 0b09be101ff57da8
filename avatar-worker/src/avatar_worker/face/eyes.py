"""Gaze and lids as ARKit weights."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import CONTROL_INDEX, HeadPose

LIMIT_DEG: Final = (20.0, 12.0, 18.0)  # sideways, up, down
SIDEWAYS_DEG: Final = 30.0
UP_DEG: Final = 25.0
DOWN_DEG: Final = 30.0
_SQUINT: Final = 0.1


def draw_gaze(
    weights: npt.NDArray[np.float32], looks_at: tuple[float, float], head: HeadPose
) -> None:
    """Write where the eyes look. They stay on their target while the head sways.

    Args:
        weights: Written to. In `CONTROL_NAMES` order, (54,).
        looks_at: Degrees in the room, x to image right, y down.
        head: Where the head is meanwhile.
    """
    sideways, up, down = LIMIT_DEG
    x = min(sideways, max(-sideways, looks_at[0] - head.yaw))
    y = min(down, max(-up, looks_at[1] - head.pitch))
    # The subject's left eye is at image right: it looks out when both look to image right.
    right, left = max(0.0, x) / SIDEWAYS_DEG, max(0.0, -x) / SIDEWAYS_DEG
    lowered, raised = max(0.0, y) / DOWN_DEG, max(0.0, -y) / UP_DEG
    for name, value in (
        ("eyeLookOutLeft", right),
        ("eyeLookInRight", right),
        ("eyeLookInLeft", left),
        ("eyeLookOutRight", left),
        ("eyeLookDownLeft", lowered),
        ("eyeLookDownRight", lowered),
        ("eyeLookUpLeft", raised),
        ("eyeLookUpRight", raised),
    ):
        weights[CONTROL_INDEX[name]] = value


def draw_lids(weights: npt.NDArray[np.float32], closed: tuple[float, float]) -> None:
    """Write how far the left and the right eye are closed, 0 to 1; a wink stays a wink."""
    for side, lid in zip(("Left", "Right"), closed, strict=True):
        blink, wide = CONTROL_INDEX[f"eyeBlink{side}"], CONTROL_INDEX[f"eyeWide{side}"]
        weights[blink] = max(float(weights[blink]), lid)
        # A wide eye closes as far as any other.
        weights[wide] *= 1 - float(weights[blink])
        weights[CONTROL_INDEX[f"eyeSquint{side}"]] += _SQUINT * lid
