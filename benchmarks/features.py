"""What hearing costs: the door, log-mel and the net, by the number of voices in a batch.

    python -m benchmarks.features [--json] [--short]

Prints one JSON object for each batch size. Times are CPU milliseconds of this process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.audio import SpeechDoor
from avatar_worker.clock import TICKS_PER_SECOND
from avatar_worker.features import Audio2Face
from avatar_worker.features.hearing import MelStream, log_mel_step
from avatar_worker.features.mel import STEP
from avatar_worker.frames import MOUTH_NAMES

from .envelope import envelope

BATCHES: Final = (1, 8, 64)
STEPS: Final = 50  # two seconds of speech
_WARM_UP: Final = 10


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of one call in milliseconds."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1_000


def syllables(steps: int) -> npt.NDArray[np.float32]:
    """Return a buzz in the rhythm of speech, 16 kHz. float32, (steps * 640,)."""
    t = np.arange(steps * STEP) / 16_000
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 25))
    return (0.15 * buzz * np.clip(np.sin(2 * np.pi * 3.5 * t), 0, 1) ** 2).astype(np.float32)


def measure(net: Audio2Face, batch: int, repeats: int) -> dict[str, Any]:
    """Return one JSON line for a batch size."""
    sound = syllables(STEPS)
    parts = [sound[i : i + STEP] for i in range(0, len(sound), STEP)]
    mels = [MelStream() for _ in range(batch)]
    voices = [net.open() for _ in range(batch)]
    jaw: list[float] = []

    def hear() -> None:
        for part in parts:
            log_mel_step(mels, [part] * batch)

    def speak() -> None:
        for part in parts:
            heard = net.step([(voice, part) for voice in voices])
            jaw.append(float(heard[0].mouth[MOUTH_NAMES.index("jawOpen")]))

    for part in parts[:_WARM_UP]:
        net.step([(voice, part) for voice in voices])
    per_frame = STEPS * batch
    mel_ms = [cpu_ms(hear) / per_frame for _ in range(repeats)]
    all_ms = [cpu_ms(speak) / per_frame for _ in range(repeats)]
    metrics = {
        "mel_ms": round(statistics.median(mel_ms), 4),
        "a2f_ms_per_frame": round(statistics.median(all_ms), 4),
        "a2f_ms_per_frame_best": round(min(all_ms), 4),
        "look_ahead_ms": net.look_ahead * 1_000 / TICKS_PER_SECOND,
        "door_24k_ms_per_s": round(statistics.median(door_ms() for _ in range(repeats)), 2),
    }
    controls = {"the_mouth_moves": max(jaw) - min(jaw) > 0.1}
    return envelope("features", metrics, config={"batch": batch}, controls=controls, n=repeats)


def door_ms() -> float:
    """Return the CPU milliseconds that the door takes for a second of speech at 24 kHz."""
    sent = np.zeros(24_000, "<i2").tobytes()
    door = SpeechDoor(24_000, 1)

    def pass_through() -> None:
        for start in range(0, len(sent), 960):
            door.push(sent[start : start + 960])
        door.finish()

    return cpu_ms(pass_through)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="accepted; the output is always JSON")
    parser.add_argument("--short", action="store_true", help="five repeats instead of twenty")
    short = parser.parse_args().short
    net = Audio2Face()
    for batch in BATCHES:
        print(json.dumps(measure(net, batch, 5 if short else 20)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
