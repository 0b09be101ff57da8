"""Hibari, a small neural synthesiser (Apache-2.0), one voice, a hundred times faster than speech.

It gives a spectrum and a pitch for each frame and leaves the sound to a vocoder, so one voice can
be turned into many: other pitch, other length of the throat, more breath. The durations inside
the graph are made an output. Its times are late, as those of the model are that it learned from.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.signal import resample_poly

from avatar_worker.errors import ConfigError
from training.phones import Segment, shifted
from training.units import FloatArray

from . import Voice
from .kokoro import to_segments

DURATIONS: Final = "/Clip_output_0"
SOONER_S: Final = 0.005  # than Kokoro, whose alphabet it shares
_PARTS: Final = 6  # lh, theta, ln, lr, phi, f0


def warped(part: FloatArray, ratio: float) -> FloatArray:
    """Move a spectrum to other frequencies: a ratio above 1 shortens the throat. (601, F)."""
    bins = np.arange(part.shape[0])
    at = np.clip(bins / ratio, 0, part.shape[0] - 1)
    low = np.minimum(at.astype(int), part.shape[0] - 2)
    share = (at - low)[:, None].astype(np.float32)
    moved: FloatArray = part[low] * (1 - share) + part[low + 1] * share
    return moved


class HibariVoices:
    """The synthesiser.

    Args:
        folder: Where the graph with the additional output is kept; made if absent.

    Raises:
        ConfigError: If the package hibari-tts, or onnx to change its graph, is absent.
    """

    name = "hibari"

    def __init__(self, folder: Path) -> None:
        try:
            from hibari import Hibari  # type: ignore[import-untyped]
            from hibari.voices import voice_path  # type: ignore[import-untyped]

            from .fetch import with_output

            model = folder / "hibari.onnx"
            if not model.exists():
                folder.mkdir(parents=True, exist_ok=True)
                part = folder / "hibari.part"
                part.write_bytes(with_output(Path(voice_path("heart")).read_bytes(), DURATIONS))
                part.replace(model)
            self._hibari: Any = Hibari(model=str(model))
        except ImportError as error:
            raise ConfigError(f"hibari-tts and onnx are needed: {error}") from error
        self.voices = [Voice("heart", "en")]

    def speak(
        self, voice: Voice, text: str, pick: random.Random
    ) -> tuple[FloatArray, list[Segment]]:
        """See `Engine.speak`."""
        from hibari import dsp

        chunks = self._hibari.phonemize(text)
        if len(chunks) != 1:
            raise ValueError(f"{len(chunks)} sentences")
        symbols = [s for s in chunks[0] if s in self._hibari.vocab]
        ids = np.array([[0, *(self._hibari.vocab[s] for s in symbols), 0]], np.int64)
        if not 8 <= ids.shape[1] <= 300:
            raise ValueError(f"{ids.shape[1]} symbols")
        speed = np.array([pick.choice([0.75, 0.85, 0.95, 1, 1, 1.1, 1.2, 1.35])], np.float32)
        *parts, lasts = self._hibari.sess.run(None, {"ids": ids, "speed": speed})
        lh, theta, ln, lr, phi, f0 = (part[0] for part in parts[:_PARTS])
        # From a child to a large man: throat and pitch go together, loosely.
        throat = pick.uniform(0.80, 1.15)
        pitch = 2 ** (pick.uniform(-0.35, 0.35) + 2.2 * np.log2(throat))
        lh, theta, ln, lr = (warped(part, throat) for part in (lh, theta, ln, lr))
        lively = pick.uniform(0.5, 1.4)
        spoken = f0 > 0
        usual = np.exp(np.log(f0[spoken]).mean()) if spoken.any() else 1.0
        f0 = np.where(spoken, pitch * usual * (np.maximum(f0, 1) / usual) ** lively, f0)
        breathy = np.float32(pick.choice([0.0, 0.0, 0.3, 0.8]))
        tilt = np.linspace(0, pick.uniform(-1.2, 0.8), lh.shape[0], dtype=np.float32)[:, None]
        sound = dsp.synth(
            lh - breathy / 2 + tilt, theta, ln + breathy + tilt, lr + tilt, phi,
            f0.astype(np.float32), np.random.default_rng(pick.randrange(1 << 30)),
        )  # fmt: skip
        sound = np.ravel(sound)
        borders = np.concatenate([[0], np.cumsum(np.ravel(lasts))]) * (
            len(sound) / np.sum(lasts) / 24_000
        )
        marked = ["^", *symbols, "$"]
        timed = [(s, float(borders[i]), float(borders[i + 1])) for i, s in enumerate(marked)]
        at_16k = resample_poly(sound, 2, 3).astype(np.float32)
        return at_16k, shifted(to_segments(timed, language="en"), SOONER_S)
