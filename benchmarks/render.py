"""What a picture costs on one core, at rest and speaking, and how near it is to the reference.

    python -m benchmarks.render [--json] [--short]

Prints one JSON object: CPU milliseconds of this process for a picture of the demo avatar.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format.reader import read_avatar
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose
from avatar_worker.render.cpu import CpuRenderer, CpuSlot
from avatar_worker.render.reference import ReferenceRenderer

from .envelope import envelope

FRAMES: Final = 250  # ten seconds of pictures a repeat
SHORT_FRAMES: Final = 100
REPEATS: Final = 5
_WARM_UP: Final = 20


def demo_avatar() -> Avatar:
    """Return the avatar that the package contains."""
    path = files("avatar_worker") / "assets" / "avatars" / "demo.hvia"
    return read_avatar(Path(str(path)), avatar_id="demo")


def idle(frame: int) -> FaceControls:
    """Sway, breath and a blink every four seconds, as at rest."""
    seconds = frame / 25
    head = HeadPose(yaw=1.2 * np.sin(seconds), pitch=0.8 * np.sin(0.7 * seconds))
    blink = max(0.0, 1.0 - abs(frame % 100 - 50) / 4)
    return _controls(
        head, breath=float(np.sin(1.5 * seconds)), eyeBlinkLeft=blink, eyeBlinkRight=blink
    )


def speaking(frame: int) -> FaceControls:
    """Syllables at four a second on top of more sway, with every kind of lip shape."""
    seconds = frame / 25
    head = HeadPose(4 * np.sin(seconds), 2 * np.sin(1.3 * seconds), 2 * np.sin(0.9 * seconds))
    opening = abs(float(np.sin(4 * np.pi * seconds)))
    rounding = abs(float(np.sin(1.1 * seconds)))
    return _controls(
        head,
        jawOpen=0.8 * opening,
        mouthFunnel=0.5 * rounding,
        mouthLowerDownLeft=0.3 * opening,
        mouthLowerDownRight=0.3 * opening,
        mouthStretchLeft=0.4 * (1 - rounding),
        mouthStretchRight=0.4 * (1 - rounding),
        eyeLookOutLeft=0.2,
        eyeLookInRight=0.2,
        breath=float(np.sin(1.5 * seconds)),
    )


def frame_ms(
    renderer: CpuRenderer, slot: CpuSlot, motion: Callable[[int], FaceControls], frames: int
) -> list[float]:
    """Return the CPU milliseconds of every picture of a motion."""
    cost = []
    for i in range(frames):
        controls = motion(i)
        start = time.process_time_ns()
        renderer.render([(slot, controls)])
        cost.append((time.process_time_ns() - start) / 1e6)
    return cost


def psnr_db(avatar: Avatar, controls: FaceControls) -> float:
    """Return how near a picture is to the reference renderer's, over all I420 samples."""
    data = []
    for renderer in (ReferenceRenderer(), CpuRenderer()):
        (frame,) = renderer.render([(renderer.open(avatar), controls)])
        data.append(frame.data.astype(np.float64))
    return float(10 * np.log10(255**2 / max(float(np.mean((data[0] - data[1]) ** 2)), 1e-9)))


def measure(avatar: Avatar, frames: int) -> dict[str, Any]:
    """Return the JSON line."""
    renderer = CpuRenderer()
    start = time.perf_counter()
    slot = renderer.open(avatar)
    metrics: dict[str, Any] = {"open_ms": round((time.perf_counter() - start) * 1_000, 1)}
    pictures = [renderer.render([(slot, speaking(i))])[0].data for i in (0, 3)]
    for name, motion in (("idle", idle), ("speaking", speaking)):
        frame_ms(renderer, slot, motion, _WARM_UP)
        cost = [ms for _ in range(REPEATS) for ms in frame_ms(renderer, slot, motion, frames)]
        metrics[f"ms_p50_{name}"] = round(float(np.percentile(cost, 50)), 3)
        metrics[f"ms_p99_{name}"] = round(float(np.percentile(cost, 99)), 3)
    metrics["psnr_vs_reference_db"] = round(psnr_db(avatar, speaking(3)), 1)
    canvas = avatar.canvas
    config = {"backend": "cpu", "canvas": [canvas.width, canvas.height], "kind": "portrait"}
    controls = {"the_picture_moves": not np.array_equal(pictures[0], pictures[1])}
    return envelope(
        "render", metrics, config={**config, "batch": 1}, controls=controls, n=REPEATS * frames
    )


def _controls(head: HeadPose, **weights: float) -> FaceControls:
    given = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, weight in weights.items():
        given[CONTROL_INDEX[name]] = weight
    return FaceControls(Ticks(0), given, head)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="accepted; the output is always JSON")
    parser.add_argument("--short", action="store_true", help="fewer pictures, under 25 seconds")
    given = parser.parse_args()
    line = measure(demo_avatar(), SHORT_FRAMES if given.short else FRAMES)
    print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main()
