"""Two simple ways to move lips, to compare with.

Loudness opens the jaw; or the nearest of fifteen mean spectra names the viseme.

    python -m training.baselines CORPUS     writes `prototypes.json`, the mean spectra
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.features.mel import BANDS
from avatar_worker.frames import ANALYSIS_RATE, MOUTH_NAMES, VISEME_NAMES

from .corpus import Corpus, Utterance
from .front import log_mel_plain
from .metrics import Prediction
from .targets import visemes
from .units import UNITS, FloatArray, aperture

PROTOTYPES: Final = Path(__file__).with_name("prototypes.json")
AHEAD_MS: Final = 40  # how far both may hear beyond the picture

_STEP: Final = ANALYSIS_RATE // 25
_COEFFICIENTS: Final = 12
_PP: Final = VISEME_NAMES.index("PP")


def _dct() -> FloatArray:
    """Return the cosines of MFCCs 1 to 12, orthonormal. float32, (40, 12)."""
    n = np.arange(BANDS)[:, None] + 0.5
    k = np.arange(1, _COEFFICIENTS + 1)
    cosines: FloatArray = (np.cos(np.pi / BANDS * n * k) * np.sqrt(2 / BANDS)).astype(np.float32)
    return cosines


_DCT: Final = _dct()


def rms(pcm: FloatArray) -> Prediction:
    """Open the jaw by loudness: 40 ms windows, 30 dB below the loudest so far is shut."""
    count = len(pcm) // _STEP
    jaw = np.zeros(count, np.float32)
    loudest, opened = 1e-3, 0.0
    for k in range(count):
        end = k * _STEP + AHEAD_MS * ANALYSIS_RATE // 1_000
        window = pcm[max(0, end - _STEP) : end]
        level = float(np.sqrt(np.mean(window**2) + 1e-10)) if len(window) else 0.0
        loudest = max(loudest * 0.998, level)
        wanted = float(np.clip((20 * np.log10(level / loudest + 1e-5) + 30) / 30, 0, 1))
        opened += (wanted - opened) * (0.7 if wanted > opened else 0.45)
        jaw[k] = 0.75 * opened
    return Prediction(jaw, 1 - jaw)


def _viseme_mouths() -> FloatArray:
    """Return the mean mouth of each viseme's units. float32, (15, 12)."""
    means = []
    for name in VISEME_NAMES:
        means.append(np.mean([u.mouth for u in UNITS.values() if u.viseme == name], axis=0))
    return np.stack(means)


class Mfcc:
    """The nearest mean spectrum, as uLipSync does it, eased between visemes.

    Args:
        prototypes: Means, spreads and the level below which nobody speaks, as `fit` makes them.
    """

    def __init__(self, prototypes: dict[str, Any]) -> None:
        self._means = np.asarray(prototypes["means"], np.float32)
        self._spread = np.asarray(prototypes["spread"], np.float32)
        self._mouths = _viseme_mouths()

    @classmethod
    def packaged(cls) -> Mfcc:
        """Return the one whose means are stored beside this file."""
        return cls(json.loads(PROTOTYPES.read_text()))

    def __call__(self, pcm: FloatArray) -> Prediction:
        """See `Prediction`."""
        count = len(pcm) // _STEP
        mel = log_mel_plain(pcm / (np.abs(pcm).max() + 1e-6) * 0.5)
        at = np.clip(4 * np.arange(count) + (AHEAD_MS - 25) // 10, 0, len(mel) - 1)
        distance = ((mel[at] @ _DCT)[:, None] - self._means) / self._spread
        said = (distance**2).sum(axis=2).argmin(axis=1)
        said[mel[at].mean(axis=1) < mel.mean(axis=1).max() - 2.8] = 0
        mouth = np.zeros((count, len(MOUTH_NAMES)), np.float32)
        now = np.zeros(len(MOUTH_NAMES), np.float32)
        for k in range(count):
            now += (self._mouths[said[k]] - now) * 0.5
            mouth[k] = now
        closing = mouth[:, MOUTH_NAMES.index("lipClose")]
        return Prediction(aperture(mouth), closing, said.astype(np.int64))


def fit(utterances: Iterable[Utterance]) -> dict[str, Any]:
    """Return the mean spectrum of each viseme and the spread of all."""
    spectra: list[FloatArray] = []
    names: list[npt.NDArray[np.int64]] = []
    for u in utterances:
        mel = log_mel_plain(u.pcm.astype(np.float32) / max(1, np.abs(u.pcm).max()) * 0.5)
        spectra.append(mel @ _DCT)
        names.append(visemes(u.segments, np.arange(len(mel)) * 0.01 + 0.0125))
    every, named = np.concatenate(spectra), np.concatenate(names)
    means = [every[named == v].mean(axis=0) for v in range(len(VISEME_NAMES))]
    return {
        "means": np.round(means, 3).tolist(),
        "spread": np.round(every.std(axis=0), 3).tolist(),
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.baselines")
    parser.add_argument("corpus", type=Path)
    PROTOTYPES.write_text(json.dumps(fit(Corpus(parser.parse_args().corpus))) + "\n")


if __name__ == "__main__":
    main()
