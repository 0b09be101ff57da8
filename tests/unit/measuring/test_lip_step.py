"""The tests' own measure of how lips drift from the sound, on made-up observations."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.scene import lip_step
from fakes.viewer import Picture, Sound, Viewer
from livekit import rtc

SECONDS = 4.0


def said(viewer: Viewer, at: float, *, lips_late: float, missing: float = 0.0) -> None:
    """Let the viewer hear and see the same uneven syllables; of the pictures a part is missing."""
    random = np.random.default_rng(round(at))
    for t in np.arange(0, SECONDS, 0.01):
        viewer.sounds.append(Sound(at=at + t, rms=0.3 * is_loud(t)))
    for t in np.arange(0, SECONDS, 0.04):
        if random.random() >= missing:
            luma = 40 + 150 * is_loud(t - lips_late)
            viewer.pictures.append(
                Picture(
                    at=at + t,
                    width=64,
                    height=80,
                    hash=0,
                    luma=luma,
                    mouth_luma=luma,
                    mouth_change=0,
                )
            )


def is_loud(t: float) -> float:
    return float(np.sin(2 * np.pi * (1.9 * t + 0.6 * np.sin(2 * np.pi * 0.37 * t))) > 0)


@pytest.mark.parametrize("later", [-0.3, -0.1, 0.0, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("missing", [0.0, 0.3])
async def test_a_step_of_the_lips_is_found_whenever_the_speech_comes(
    later: float, missing: float
) -> None:
    viewer = Viewer(rtc.Room())
    said(viewer, 100.0, lips_late=0.05)
    said(viewer, 112.07, lips_late=0.05 + later, missing=missing)
    assert lip_step(viewer, 100.0, 112.0, SECONDS - 0.5) == pytest.approx(later, abs=0.05)
