"""What pictures cost on this machine's GPU, for one session and for many at once.

    python -m benchmarks.render_cuda [--json] [--short] [--avatar FILE]

Prints one JSON object: milliseconds for a picture when 1, 4, 16 and 64 sessions are drawn together
(process CPU, and wall time until the I420 lies in memory of its own); memory of the GPU; agreement
with the CPU renderer; sessions that are drawn at 25 pictures a second, by the renderer alone and by the engine's whole way
from a voice to a picture.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format.reader import read_avatar
from avatar_worker.clock import Ticks
from avatar_worker.engine import PictureOrder, Pipeline
from avatar_worker.engine.pipeline import HOP
from avatar_worker.face import Activity
from avatar_worker.features import Audio2Face
from avatar_worker.frames import FaceControls
from avatar_worker.render import Renderer
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.cuda import CudaRenderer, Device, Driver

from .envelope import envelope
from .motion import TICKS_PER_PICTURE, at_rest
from .render import demo_avatar

BATCHES: Final = (1, 4, 16, 64)
AVATARS: Final = 16
FRAMES: Final = 250
SHORT_FRAMES: Final = 50
COMPARED: Final = 20
PERIOD_MS: Final = 40.0
_WARM_UP: Final = 10
MIB: Final = 2**20


def batch_ms(
    renderer: CudaRenderer, avatars: Sequence[Avatar], motion: Sequence[FaceControls]
) -> tuple[list[float], list[float]]:
    """Draw a session for each avatar, all at different places of a motion.

    Returns:
        Wall and CPU milliseconds of every batch.
    """
    slots = [renderer.open(avatar) for avatar in avatars]
    wall, cpu = [], []
    for n in range(_WARM_UP + len(motion)):
        jobs = [(slot, motion[(n + 7 * i) % len(motion)]) for i, slot in enumerate(slots)]
        began, used = time.perf_counter_ns(), time.process_time_ns()
        renderer.render(jobs)
        wall.append((time.perf_counter_ns() - began) / 1e6)
        cpu.append((time.process_time_ns() - used) / 1e6)
    for slot in slots:
        renderer.close(slot)
    return wall[_WARM_UP:], cpu[_WARM_UP:]


def pipeline_ms(renderer: Renderer, avatar: Avatar, count: int, pictures: int) -> list[float]:
    """Let sessions speak, with net, face and pictures as in the engine; return each batch's wall ms.

    What they say is noise, which costs as much as words.
    """
    pipeline = Pipeline(renderer, Audio2Face())
    slots = [pipeline.open(avatar, seed=seed) for seed in range(count)]
    sound = np.random.default_rng(1).normal(0, 0.1, (16, HOP)).astype(np.float32)
    wall = []
    for n in range(_WARM_UP + pictures):
        jobs = [
            (
                slot,
                PictureOrder(
                    pts=Ticks(n * TICKS_PER_PICTURE),
                    speaking=True,
                    analysis=sound[(n + i) % len(sound)],
                    restart=n == 0,
                    activity=Activity.SPEAKING,
                ),
            )
            for i, slot in enumerate(slots)
        ]
        for slot, order in jobs:
            slot.accept(order)
        began = time.perf_counter_ns()
        pipeline.draw(jobs)
        wall.append((time.perf_counter_ns() - began) / 1e6)
    for slot in slots:
        pipeline.close(slot)
    return wall[_WARM_UP:]


def least_psnr_db(renderer: CudaRenderer, avatar: Avatar, motion: Sequence[FaceControls]) -> float:
    """Return how near pictures are to the CPU renderer's at worst, over all I420 samples."""
    worst = np.inf
    other = CpuRenderer()
    slots = renderer.open(avatar), other.open(avatar)
    for controls in motion:
        (one,), (two,) = (
            renderer.render([(slots[0], controls)]),
            other.render([(slots[1], controls)]),
        )
        error = float(np.mean((one.data.astype(np.float64) - two.data) ** 2))
        worst = min(worst, 10 * np.log10(255**2 / max(error, 1e-9)))
    renderer.close(slots[0])
    return float(worst)


def used_mib() -> float | None:
    """Return the GPU's memory in use, by anybody."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return float(done.stdout.splitlines()[0]) if done.returncode == 0 else None


def memory(device: Device, avatar: Avatar, before: float | None) -> dict[str, Any]:
    """Return MiB of the GPU: the context, an avatar, and each of its sessions."""
    found: dict[str, Any] = {}
    context = used_mib()
    if before is not None and context is not None:
        found["mib_context"] = round(context - before, 1)
    renderer = CudaRenderer(device)
    slots = [renderer.open(avatar)]
    first = renderer.bytes_held
    found["mib_avatar"] = round(renderer.bytes_of_avatars / MIB, 2)
    found["mib_first_session"] = round(first / MIB, 2)
    slots += [renderer.open(avatar) for _ in range(63)]
    found["mib_64_sessions"] = round(renderer.bytes_held / MIB, 2)
    free = device.free_bytes()
    slots += [renderer.open(avatar) for _ in range(64)]
    found["mib_another_64_sessions"] = round((free - device.free_bytes()) / MIB, 2)
    for slot in slots:
        renderer.close(slot)
    return found


def measure(path: Path, frames: int) -> dict[str, Any]:
    """Return the JSON line."""
    avatar = read_avatar(path, avatar_id="bench")
    motion = at_rest(avatar, frames)
    before, driver = used_mib(), Driver()
    start = time.perf_counter()
    device = Device(driver)
    metrics: dict[str, Any] = {"load_ms": round((time.perf_counter() - start) * 1_000, 1)}
    metrics |= memory(device, avatar, before)
    renderer = CudaRenderer(device)
    for count in BATCHES:
        wall, cpu = batch_ms(renderer, [avatar] * count, motion)
        metrics[f"ms_wall_p50_{count}"] = round(float(np.median(wall)) / count, 4)
        metrics[f"ms_wall_p99_{count}"] = round(float(np.percentile(wall, 99)) / count, 4)
        metrics[f"ms_cpu_p50_{count}"] = round(float(np.median(cpu)) / count, 4)
    own = [replace(avatar, content_id=f"bench:{n}") for n in range(AVATARS)]
    wall, _ = batch_ms(renderer, own, motion)
    metrics[f"ms_wall_p50_{AVATARS}_avatars"] = round(float(np.median(wall)) / AVATARS, 4)
    most = BATCHES[-1]
    metrics["sessions_at_25_fps"] = int(PERIOD_MS / metrics[f"ms_wall_p50_{most}"])
    spent = float(np.median(pipeline_ms(renderer, avatar, most, frames))) / most
    metrics[f"ms_wall_p50_{most}_with_net_and_face"] = round(spent, 4)
    metrics["speaking_sessions_at_25_fps"] = int(PERIOD_MS / spent)
    alone = float(np.median(pipeline_ms(renderer, avatar, 1, frames)))
    metrics["ms_wall_p50_1_with_net_and_face"] = round(alone, 4)
    slow = float(np.median(pipeline_ms(CpuRenderer(), avatar, 1, frames)))
    metrics["ms_wall_p50_1_with_net_and_face_on_the_cpu"] = round(slow, 4)
    compared = motion[:: max(1, frames // COMPARED)]
    metrics["least_psnr_db_to_cpu"] = round(least_psnr_db(renderer, avatar, compared), 1)
    canvas = avatar.canvas
    config = {
        "backend": "cuda",
        "canvas": [canvas.width, canvas.height],
        "kind": "portrait",
        "batch": list(BATCHES),
        "motion": "the worker's own idle life",
    }
    checks = {"agrees_with_the_cpu": metrics["least_psnr_db_to_cpu"] >= 40.0}
    line = envelope("render_cuda", metrics, config=config, controls=checks, n=frames)
    return {**line, "gpu": device.name}


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
