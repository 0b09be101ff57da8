"""What is measured of a mouth that speaks, against labels and against filmed lips.

A prediction is a mouth for each picture of a recording, 25 a second; picture k is at 40 k ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import VISEME_NAMES

from .phones import Segment
from .sets import Filmed, Spoken
from .targets import PICTURE, loudness, mouths, visemes
from .units import BILABIALS, FloatArray, aperture

MOST_FALSE: Final = 0.02
LAGS: Final = range(-6, 7)
"""Pictures; a positive lag means that the prediction is late."""
_NEAR_LAGS: Final = range(-2, 5)  # where clips that are not in step may be in step
FAR_LAGS: Final = range(-6, 13)
"""Where they all are: one of the evaluation's films has its sound 280 ms after its lips, as every
method says, loudness alone too."""
AT_REST: Final = 0.1

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a method says of a recording.

    Attributes:
        aperture: How far the lips are apart. (pictures,).
        closing: How sure it is that they are shut, in any rising measure. (pictures,).
        visemes: Index in `VISEME_NAMES`, or None if it does not tell. (pictures,).
    """

    aperture: FloatArray
    closing: FloatArray
    visemes: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.aperture)


def _times(count: int) -> FloatArray:
    return np.arange(count) * PICTURE


def _within(times: FloatArray, s: Segment, margin: float) -> BoolArray:
    """Return which pictures are inside a segment, made longer by a margin on both sides."""
    inside: BoolArray = (times >= s.start - margin) & (times <= s.end + margin)
    return inside


def closings(said: Sequence[Spoken], heard: Sequence[Prediction]) -> tuple[list[float], FloatArray]:
    """Return how sure a method is at each p, b, m, and wherever the lips are not to be shut.

    The first is the greatest value within 40 ms of a bilabial. The second are all values of
    speech that is more than 60 ms from every bilabial and 80 ms from every silence.
    """
    at, elsewhere = [], []
    for spoken, prediction in zip(said, heard, strict=True):
        times = _times(len(prediction))
        free = visemes(spoken.segments, times) > 0
        for s in spoken.segments:
            if s.unit in BILABIALS:
                near = _within(times, s, 0.04)
                if near.any():
                    at.append(float(prediction.closing[near].max()))
                free &= ~((times > s.start - 0.06) & (times < s.end + 0.06))
            elif s.unit == "sil":
                free &= ~((times > s.start - 0.08) & (times < s.end + 0.08))
        elsewhere.append(prediction.closing[free])
    return at, np.concatenate(elsewhere) if elsewhere else np.zeros(0)


def closure_recall(
    said: Sequence[Spoken], heard: Sequence[Prediction], *, most_false: float = MOST_FALSE
) -> tuple[float, float]:
    """Return the share of bilabials that are shut, and the threshold: the lowest that may be used.

    A threshold may be used if at most `most_false` of the pictures that are not to be shut lie
    above it. nan without bilabials.
    """
    at, elsewhere = closings(said, heard)
    if not at:
        return float("nan"), float("nan")
    for threshold in np.unique(
        np.concatenate([[0.0], np.round(np.asarray(at) - 1e-6, 6), elsewhere])
    ):
        if len(elsewhere) == 0 or (elsewhere > threshold).mean() <= most_false:
            return float((np.asarray(at) > threshold).mean()), float(threshold)
    return 0.0, float(elsewhere.max())


def closures_at(
    said: Sequence[Spoken], heard: Sequence[Prediction], threshold: float
) -> tuple[float, float]:
    """Return recall and the share of false closings at one threshold."""
    at, elsewhere = closings(said, heard)
    return float((np.asarray(at) > threshold).mean()), float((elsewhere > threshold).mean())


def viseme_accuracy(said: Sequence[Spoken], heard: Sequence[Prediction]) -> float:
    """Return the share of speech pictures whose viseme is right; nan if it is never told."""
    right = total = 0
    for spoken, prediction in zip(said, heard, strict=True):
        truth = visemes(spoken.segments, _times(len(prediction)))
        if prediction.visemes is None:
            continue
        right += int((prediction.visemes == truth)[truth > 0].sum())
        total += int((truth > 0).sum())
    return right / total if total else float("nan")


def rest_in_silence(said: Sequence[Spoken], heard: Sequence[Prediction]) -> float:
    """Return the share of pictures at rest, 120 ms inside the silences; nan without any."""
    still = total = 0
    for spoken, prediction in zip(said, heard, strict=True):
        times = _times(len(prediction))
        for s in spoken.segments:
            if s.unit == "sil":
                deep = (times > s.start + 0.12) & (times < s.end - 0.12)
                still += int((prediction.aperture[deep] < AT_REST).sum())
                total += int(deep.sum())
    return still / total if total else float("nan")


def jitter_ratio(said: Sequence[Spoken], heard: Sequence[Prediction]) -> float:
    """Return how much the aperture trembles, relative to the rule targets of the true phones."""
    ours, theirs = [], []
    for spoken, prediction in zip(said, heard, strict=True):
        loud = loudness(spoken.pcm, spoken.segments)
        rule = aperture(mouths(spoken.segments, _times(len(prediction)), loud=loud))
        ours.append(np.abs(np.diff(prediction.aperture, 2)))
        theirs.append(np.abs(np.diff(rule, 2)))
    if not ours:
        return float("nan")
    return float(np.concatenate(ours).mean() / np.concatenate(theirs).mean())


def correlation(a: FloatArray, b: FloatArray) -> float:
    """Return Pearson's r; 0 if one of them does not move."""
    if len(a) < 2 or a.std() < 1e-6 or b.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def by_lag(film: Filmed, prediction: Prediction, lags: Sequence[int] = LAGS) -> list[float]:
    """Return the correlation with the filmed lips at each lag."""
    count = min(len(prediction), len(film.gap))
    ours, theirs = prediction.aperture[:count], film.gap[:count]
    found = []
    for lag in lags:
        late, early = max(0, lag), max(0, -lag)
        length = count - late - early
        found.append(correlation(ours[late : late + length], theirs[early : early + length]))
    return found


@dataclass(frozen=True, slots=True)
class Lips:
    """How well predicted lips follow filmed ones.

    Attributes:
        grid_r: Mean correlation over the studio clips, in step.
        wild_r: Mean over the others of the best within -80 to 160 ms: they may be out of step.
        wild_r_far: The same within -240 to 480 ms.
        lag_frames: Where the mean correlation over the studio clips peaks; negative is early.
    """

    grid_r: float
    wild_r: float
    wild_r_far: float
    lag_frames: float


def lips(clips: Sequence[Filmed], heard: Sequence[Prediction]) -> Lips:
    """Compare with every film. nan where a kind of clip is absent."""
    grid, wild, far = [], [], []
    for film, prediction in zip(clips, heard, strict=True):
        curve = by_lag(film, prediction)
        if film.studio:
            grid.append(curve)
        else:
            wild.append(max(curve[LAGS.index(lag)] for lag in _NEAR_LAGS))
            far.append(max(by_lag(film, prediction, FAR_LAGS)))
    mean = np.mean(grid, axis=0) if grid else np.full(len(LAGS), np.nan)
    return Lips(
        float(mean[LAGS.index(0)]),
        float(np.mean(wild)) if wild else float("nan"),
        float(np.mean(far)) if far else float("nan"),
        _peak(mean) if grid else float("nan"),
    )


def _peak(curve: FloatArray) -> float:
    """Return the lag of the highest point, between pictures by a parabola."""
    i = int(curve.argmax())
    if i in (0, len(curve) - 1):
        return float(LAGS[i])
    before, top, after = curve[i - 1 : i + 2]
    return float(LAGS[i] + 0.5 * (before - after) / (before - 2 * top + after))


def confusions(said: Sequence[Spoken], heard: Sequence[Prediction]) -> npt.NDArray[np.int64]:
    """Return how often viseme [row] was taken for [column]. (15, 15)."""
    table = np.zeros((len(VISEME_NAMES), len(VISEME_NAMES)), np.int64)
    for spoken, prediction in zip(said, heard, strict=True):
        if prediction.visemes is not None:
            truth = visemes(spoken.segments, _times(len(prediction)))
            np.add.at(table, (truth, prediction.visemes), 1)
    return table
