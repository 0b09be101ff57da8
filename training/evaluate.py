"""One table: our net at both look-aheads, the one before it and two simple baselines, on every set.

    python -m training.evaluate [--json] [--data FOLDER] [--weights FILE] [--previous FILE]

The data is not part of the project; see `training.sets`. FOLDER is by default the environment
variable AVALUMA_EVALUATION_DATA, else ../shared/data. `--weights` measures other weights than the
packaged ones; the previous net is measured bare, as it was published. `--json` prints one line for
our net with `metrics`, and the other rows under `others`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_worker.clock import Ticks
from avatar_worker.errors import ConfigError
from avatar_worker.features import Audio2Face
from avatar_worker.features.audio2face import LOOK_AHEAD, SHORT_LOOK_AHEAD
from avatar_worker.features.mel import STEP
from avatar_worker.frames import MOUTH_NAMES

from . import metrics, sets
from .baselines import Mfcc, rms
from .metrics import Prediction
from .noises import music_and_breath, pink
from .pauses import rest_in_pauses
from .units import FloatArray, aperture

Method = Callable[[FloatArray], Prediction]

DATA_VARIABLE: Final = "AVALUMA_EVALUATION_DATA"
DEFAULT_DATA: Final = Path("../shared/data")
PREVIOUS_NAME: Final = "../prototypes/audio2face/w/v4_L80.onnx"
NOISE_DB: Final = 15.0

_CLOSE: Final = MOUTH_NAMES.index("lipClose")
_COLUMNS: Final = (
    "closure_recall", "viseme_accuracy", "grid_r", "wild_r", "rest_in_silence", "jitter_ratio",
    "lag_frames", "wild_r_far", "rest_in_pauses", "rest_in_noise", "shut_in_music",
)  # fmt: skip


class Net:
    """The voice-to-face net as the worker runs it, on whole recordings.

    Args:
        weights: An ONNX file; the packaged one if None.
        look_ahead: As in `Audio2Face`.
        bare: Without what the worker does after the net.
    """

    def __init__(
        self, weights: Path | None, *, look_ahead: Ticks = LOOK_AHEAD, bare: bool = False
    ) -> None:
        self._net = Audio2Face(weights, look_ahead=look_ahead, keep_promises=not bare)
        self._ahead = self._net.look_ahead // (STEP * 3)  # pictures

    def __call__(self, pcm: FloatArray) -> Prediction:
        """See `Prediction`."""
        count = len(pcm) // STEP
        padded = np.concatenate([pcm[: count * STEP], np.zeros(self._ahead * STEP, np.float32)])
        stream = self._net.open()
        heard = [
            self._net.step([(stream, padded[start : start + STEP])])[0]
            for start in range(0, len(padded), STEP)
        ]
        shown = [features for features in heard if features.pts >= 0][:count]
        if not shown:
            return Prediction(np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, int))
        mouth = np.stack([features.mouth for features in shown])
        said = np.stack([features.visemes for features in shown]).argmax(axis=1)
        return Prediction(aperture(mouth), mouth[:, _CLOSE], said)


@dataclass(frozen=True, slots=True)
class Data:
    """Everything to be heard, read once."""

    real: Sequence[sets.Spoken]
    made: Sequence[sets.Spoken]
    films: Sequence[sets.Filmed]

    @property
    def sounds(self) -> list[FloatArray]:
        """What people say: the real utterances, then the films."""
        return [spoken.pcm for spoken in self.real] + [film.pcm for film in self.films]

    @classmethod
    def read(cls, folder: Path) -> Data:
        """Read a folder.

        Raises:
            EvaluationDataError: If it is absent or broken.
        """
        sets.check(folder)
        return cls(sets.speech(folder), list(sets.synthetic(folder)), sets.films(folder))


def measure(method: Method, data: Data) -> dict[str, float]:
    """Return every figure of one method; nan where the data for it is absent."""
    heard = [method(spoken.pcm) for spoken in data.real]
    noisy = [method(pink(spoken.pcm, NOISE_DB, seed=i)) for i, spoken in enumerate(data.real)]
    watched = [method(film.pcm) for film in data.films]
    lips = metrics.lips(data.films, watched)
    shut = np.concatenate([method(sound).aperture for sound in music_and_breath(seed=0)])
    recall, threshold = metrics.closure_recall(data.real, heard)
    return {
        "closure_recall": recall,
        "viseme_accuracy": metrics.viseme_accuracy(data.real, heard),
        "grid_r": lips.grid_r,
        "wild_r": lips.wild_r,
        "rest_in_silence": metrics.rest_in_silence(data.real, heard),
        "jitter_ratio": metrics.jitter_ratio(data.real, heard),
        "lag_frames": lips.lag_frames,
        "wild_r_far": lips.wild_r_far,
        "rest_in_pauses": rest_in_pauses(data.sounds, [*heard, *watched])[0],
        "rest_in_noise": metrics.rest_in_silence(data.real, noisy),
        "shut_in_music": float((shut < metrics.AT_REST).mean()),
        "closure_threshold": threshold,
    }


def by_language(method: Method, made: Sequence[sets.Spoken]) -> dict[str, float]:
    """Return the viseme accuracy on synthetic speech, for each language."""
    found = {}
    for language in sorted({spoken.language for spoken in made}):
        said = [spoken for spoken in made if spoken.language == language]
        found[language] = metrics.viseme_accuracy(said, [method(s.pcm) for s in said])
    return found


def _tidy(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Round for people; None for what could not be measured."""
    return {k: None if math.isnan(v) else round(v, 3) for k, v in figures.items()}


def _table(rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """Lay out the rows."""
    short = [name.replace("_", " ") for name in _COLUMNS]
    lines = ["  ".join(["".ljust(10), *short])]
    for name, row in rows.items():
        cells = []
        for column, title in zip(_COLUMNS, short, strict=True):
            value = row.get(column)
            cells.append(("-" if value is None else f"{value:.3f}").rjust(len(title)))
        lines.append("  ".join([name.ljust(10), *cells]))
    return "\n".join(lines)


def run(data: Data, methods: Mapping[str, Method]) -> dict[str, dict[str, float | None]]:
    """Measure each method."""
    return {name: _tidy(measure(method, data)) for name, method in methods.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--data", type=Path, default=os.environ.get(DATA_VARIABLE, DEFAULT_DATA))
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--previous", type=Path)
    args = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        data = Data.read(Path(args.data))
        ours = Net(args.weights)
        methods: dict[str, Method] = {"ours": ours}
        with suppress(ConfigError):  # older weights look 80 ms ahead, and no less
            methods["at_40_ms"] = Net(args.weights, look_ahead=SHORT_LOOK_AHEAD)
        previous = args.previous or Path(args.data) / PREVIOUS_NAME
        if args.previous or previous.exists():
            methods["previous"] = Net(previous, bare=True)
        methods |= {"mfcc": Mfcc.packaged(), "rms": rms}
        rows = run(data, methods)
        languages = _tidy(by_language(ours, data.made))
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error
    seconds = round(time.monotonic() - started, 1)
    heard = {
        "real_utterances": len(data.real),
        "bilabials": sum(s.unit in "pbm" for spoken in data.real for s in spoken.segments),
        "studio_clips": sum(film.studio for film in data.films),
        "other_clips": sum(not film.studio for film in data.films),
    }
    if args.json:
        line: dict[str, Any] = {
            "metrics": rows.pop("ours"), "others": rows, "languages": languages,
            "data": heard, "seconds": seconds,
        }  # fmt: skip
        print(json.dumps(line))
        return
    print(_table(rows))
    print("\nviseme accuracy by language, synthetic speech:",
          "  ".join(f"{k} {v}" for k, v in languages.items()))  # fmt: skip
    print(", ".join(f"{v} {k.replace('_', ' ')}" for k, v in heard.items()), f"({seconds} s)")


if __name__ == "__main__":
    main()
