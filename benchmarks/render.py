"""What a picture costs on one core, at rest and speaking, and how near it is to the reference.

    python -m benchmarks.render [--json] [--short] [--avatar FILE]

Prints one JSON object: CPU milliseconds of this process for a picture of the demo avatar, which
lives and speaks as the worker makes it; loading times; bytes; agreement with the reference.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format.reader import read_avatar
from avatar_worker.frames import FaceControls
from avatar_worker.render.cpu import CpuRenderer, CpuSlot
from avatar_worker.render.reference import ReferenceRenderer

from .envelope import envelope
from .motion import at_rest, speaking

FRAMES: Final = 750  # half a minute of pictures a repeat
SHORT_FRAMES: Final = 125
REPEATS: Final = 5
COMPARED: Final = 3
_WARM_UP: Final = 20


def demo_avatar() -> Path:
    """Return the avatar that the package contains."""
    return Path(str(files("avatar_worker") / "assets" / "avatars" / "demo.hvia"))


def frame_ms(renderer: CpuRenderer, slot: CpuSlot, motion: Sequence[FaceControls]) -> list[float]:
    """Return the CPU milliseconds of every picture of a motion."""
    cost = []
    for controls in motion:
        start = time.process_time_ns()
        renderer.render([(slot, controls)])
        cost.append((time.process_time_ns() - start) / 1e6)
    return cost


def load_ms(path: Path, first: FaceControls) -> float:
    """Return the time from a file to its first picture, in a process that has drawn before."""
    start = time.perf_counter()
    renderer = CpuRenderer()
    slot = renderer.open(read_avatar(path, avatar_id="bench"))
    renderer.render([(slot, first)])
    return (time.perf_counter() - start) * 1_000


def psnr_db(avatar: Avatar, motion: Sequence[FaceControls]) -> list[float]:
    """Return how near pictures are to the reference renderer's, over all I420 samples."""
    found = []
    exact, fast = ReferenceRenderer(), CpuRenderer()
    slots = exact.open(avatar), fast.open(avatar)
    for controls in motion:
        (one,), (other,) = exact.render([(slots[0], controls)]), fast.render([(slots[1], controls)])
        error = float(np.mean((one.data.astype(np.float64) - other.data) ** 2))
        found.append(10 * np.log10(255**2 / max(error, 1e-9)))
    return found


def measure(path: Path, frames: int) -> dict[str, Any]:
    """Return the JSON line."""
    avatar = read_avatar(path, avatar_id="bench")
    motions = {"idle": at_rest(avatar, frames), "speaking": speaking(avatar, frames)}
    renderer = CpuRenderer()
    start = time.perf_counter()
    slot = renderer.open(avatar)
    metrics: dict[str, Any] = {"first_open_ms": round((time.perf_counter() - start) * 1_000, 1)}
    loads = [load_ms(path, motions["idle"][0]) for _ in range(REPEATS)]
    metrics["load_ms"] = round(float(np.median(loads)), 1)
    moved = []
    for name, motion in motions.items():
        frame_ms(renderer, slot, motion[:_WARM_UP])
        cost = [ms for _ in range(REPEATS) for ms in frame_ms(renderer, slot, motion)]
        for share in (50, 95, 99):
            metrics[f"ms_p{share}_{name}"] = round(float(np.percentile(cost, share)), 3)
        one, other = (renderer.render([(slot, motion[i])])[0].data for i in (5, 35))
        moved.append(not np.array_equal(one, other))
        near = psnr_db(avatar, motion[:: max(1, frames // COMPARED)])
        metrics[f"least_psnr_db_{name}"] = round(min(near), 1)
    canvas = avatar.canvas
    config = {
        "backend": "cpu",
        "canvas": [canvas.width, canvas.height],
        "kind": "portrait",
        "batch": 1,
        "motion": "the worker's own, half a minute" if frames == FRAMES else "five seconds of it",
    }
    controls = {"the_pictures_move": all(moved)}
    return envelope("render", metrics, config=config, controls=controls, n=REPEATS * frames)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="accepted; the output is always JSON")
    parser.add_argument("--short", action="store_true", help="fewer pictures, under 25 seconds")
    parser.add_argument("--avatar", type=Path, default=demo_avatar(), help="another avatar's file")
    given = parser.parse_args()
    print(json.dumps(measure(given.avatar, SHORT_FRAMES if given.short else FRAMES)))  # noqa: T201


if __name__ == "__main__":
    main()
