"""How far filmed lips part for each control of the net: the numbers of `features.parting`.

    python -m training.lips [--data FOLDER] [--weights FILE]

The opening of filmed lips is a weighted sum of what the net says by rule, as far as the lips are
not shut. The weights are a ridge regression over clips; each clip is also predicted with the
weights of all the others, because it is people that were never seen that count. Prints the
weights, and how well lips follow by rule, with weights of other people, and with all of them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from avatar_worker.errors import ConfigError
from avatar_worker.features import Audio2Face, neighbours, parting, promises
from avatar_worker.features.mel import STEP
from avatar_worker.frames import MOUTH_NAMES

from . import metrics, sets
from .evaluate import DATA_VARIABLE, DEFAULT_DATA
from .metrics import FAR_LAGS, Prediction, by_lag
from .units import FloatArray, aperture

RIDGE: Final = 30.0
CONTROLS: Final = tuple(parting.MEASURED)
JAW: Final = parting.MEASURED["jawOpen"]
_INDEX: Final = [MOUTH_NAMES.index(name) for name in CONTROLS]
_AHEAD: Final = 2  # pictures

Said = tuple[FloatArray, FloatArray]
"""Mouths by rule, steadied (n, 12), and probabilities of visemes (n, 15)."""


def said(net: Audio2Face, pcm: FloatArray) -> Said:
    """Run a net that keeps no promises over a recording."""
    count = len(pcm) // STEP
    padded = np.concatenate([pcm[: count * STEP], np.zeros(_AHEAD * STEP, np.float32)])
    stream = net.open()
    heard = [
        net.step([(stream, padded[at : at + STEP].astype(np.float32))])[0]
        for at in range(0, len(padded), STEP)
    ]
    shown = [features for features in heard if features.pts >= 0][:count]
    mouths = np.stack([f.mouth for f in shown])
    before = np.concatenate([np.zeros_like(mouths[:1]), mouths[:-1]])
    return neighbours.steadied(mouths, before), np.stack([f.visemes for f in shown])


def closings(visemes: FloatArray) -> FloatArray:
    """Return how far the lips are shut in each picture of a recording. (n,)."""
    sure = neighbours.sureness(visemes)
    shut = promises.shut(neighbours.peaks(sure, np.concatenate([[0.0], sure[:-1]])))
    for k in range(1, len(shut)):
        shut[k] = neighbours.released(shut[k], shut[k - 1])
    return shut


def opened(mouths: FloatArray, visemes: FloatArray) -> FloatArray:
    """Return the controls as far as rounded, narrowed and shut lips let them open. (n, 4)."""
    kept = promises.keep(mouths, closings(visemes), np.ones(len(mouths), np.float32))
    by_name = {name: kept[:, i] for i, name in enumerate(MOUTH_NAMES)}
    free = (1 - 0.55 * by_name["mouthPucker"]) * (1 - 0.6 * by_name["rollLower"])
    free = free * (1 - by_name["lipClose"]) * (1 - mouths[:, MOUTH_NAMES.index("lipClose")])
    controls: FloatArray = kept[:, _INDEX] * free[:, None]
    return controls


def pairs(film: sets.Filmed, one: Said) -> tuple[FloatArray, FloatArray]:
    """Return controls and filmed opening, brought into step, each film at the same scale."""
    controls = opened(*one)
    lag = 0
    if not film.studio:
        rule = aperture(one[0])
        lag = FAR_LAGS[int(np.argmax(by_lag(film, Prediction(rule, rule), FAR_LAGS)))]
    late, early = max(0, lag), max(0, -lag)
    count = min(len(controls), len(film.gap)) - late - early
    gap = film.gap[early : early + count]
    return controls[late : late + count], (gap - gap.mean()) / gap.std()


def fitted(examples: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Return a weight for each of `CONTROLS`, the jaw's as it ships. (4,)."""
    x, y = (np.concatenate(part) for part in zip(*examples, strict=True))
    spread = x.std(axis=0) + 1e-6
    z = (x - x.mean(axis=0)) / spread
    weights = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ y) / spread
    scaled: FloatArray = weights * (JAW / weights[0])
    return scaled


def shown(one: Said, weights: FloatArray | None) -> Prediction:
    """Return what a viewer sees of a film's sound, by rule (None) or with weights."""
    mouths, visemes = one
    if weights is not None:
        measured = np.zeros(len(MOUTH_NAMES), np.float32)
        measured[_INDEX] = weights
        mouths = parting.part(mouths, measured)
    opening = aperture(promises.keep(mouths, closings(visemes), np.ones(len(mouths), np.float32)))
    return Prediction(opening, opening)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.lips")
    parser.add_argument("--data", type=Path, default=os.environ.get(DATA_VARIABLE, DEFAULT_DATA))
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args(arguments)
    try:
        sets.check(Path(args.data))
        films = sets.films(Path(args.data))
        if len(films) < 2:
            raise ConfigError("one clip says nothing of other people: at least two are needed")
        net = Audio2Face(args.weights, keep_promises=False)
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error
    heard = [said(net, film.pcm) for film in films]
    examples = [pairs(film, one) for film, one in zip(films, heard, strict=True)]
    every = fitted(examples)
    others = [fitted([e for j, e in enumerate(examples) if j != i]) for i in range(len(films))]
    for name, weights in (
        ("by rule", [None] * len(films)),
        ("of other people", others),
        ("of everybody", [every] * len(films)),
    ):
        follows = metrics.lips(films, [shown(o, w) for o, w in zip(heard, weights, strict=True)])
        print(
            f"{name.ljust(16)} grid r {follows.grid_r:.3f}  wild r {follows.wild_r:.3f}  "
            f"far {follows.wild_r_far:.3f}"
        )
    print("  ".join(f"{n} {w:+.2f}" for n, w in zip(CONTROLS, every.tolist(), strict=True)))


if __name__ == "__main__":
    main()
