"""Mouths as they are shown: the net's answers of a batch under everything that they must keep.

What it does stands in `floor`, `neighbours`, `parting` and `promises`, plainly and a step at a time;
a test holds both together. Here it is one loop, because forty small calls cost more than the net.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import compiled
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

from .floor import ABOVE, EVERY, FLAT, PARTS, REMEMBERED
from .matrices import SAID
from .mel import BANDS, FRAMES_PER_STEP
from .neighbours import BEFORE, FLANK, GUESSED, HEAVY, MISSED, RELEASE, TEETH
from .parting import CHANGES, DRAWN, GAIN, LEAST, ROUND, WANTED
from .promises import HEARD, SHUT
from .voices import HISTORY, Voices

FloatArray = npt.NDArray[np.float32]

_MOUTHS: Final = len(MOUTH_NAMES)
_VOICE: Final = _MOUTHS + len(VISEME_NAMES)
_LIPS: Final = _MOUTHS + VISEME_NAMES.index("PP")
_TEETH: Final = _MOUTHS + VISEME_NAMES.index("FF")
_CLOSE: Final = MOUTH_NAMES.index("lipClose")
_FRAMES: Final = HISTORY + FRAMES_PER_STEP
_WIDTH: Final = BANDS // PARTS
_LOW: Final = FLAT[0] + 1
_LEAST_DRAWN: Final = np.float32(1e-3)
(_S0, _S1, _S2), (_C0, _C1, _C2) = SHUT


def shown(voices: Voices, mel: FloatArray, heads: FloatArray) -> FloatArray:
    """Return mouths as they are shown, and note with each voice what it follows on.

    Args:
        voices: `VOICE` of B voices. Changed in place.
        mel: What is heard of their pictures. float32, (B, 12, 40).
        heads: What the net says: mouth, visemes, voice; with 40 ms of look-ahead also of the picture
            before, which is now heard out. float32, (B, 28) or (B, 56).

    Returns:
        Weights in [0, 1]. float32, (B, 12).
    """
    mouths = np.empty((len(voices), _MOUTHS), np.float32)
    _show(voices, mel, heads, mouths)
    return mouths


@compiled
def _show(voices: Voices, mel: FloatArray, heads: FloatArray, mouths: FloatArray) -> None:
    now = np.empty(PARTS, np.float32)
    lowest = np.empty(_LOW, np.float32)
    sums = np.empty(BANDS, np.float32)
    for row in range(len(heads)):
        voice, said, mouth = voices[row], heads[row], mouths[row]
        before = voice.said
        # floor.levels, floor.Floor.hear and floor.presence
        for band in range(BANDS):
            total = np.float32(0)
            for frame in range(_FRAMES):
                total += mel[row, frame, band]
            sums[band] = total
        for part in range(PARTS):
            total = np.float32(0)
            for band in range(part * _WIDTH, (part + 1) * _WIDTH):
                total += sums[band]
            now[part] = total / np.float32(_WIDTH * _FRAMES)
            voice.levels[part, voice.count % REMEMBERED] = now[part]
        if voice.count % EVERY == 0:
            flat = True
            for part in range(PARTS):
                _least(voice.levels[part], lowest)
                voice.lowest[part] = lowest[0]
                flat = flat and lowest[_LOW - 1] - lowest[0] < FLAT[1]
            if not flat:
                for part in range(PARTS):
                    voice.lowest[part] = -np.inf
        voice.count = (voice.count + 1) % REMEMBERED
        above = np.float32(-np.inf)
        for part in range(PARTS):
            above = max(above, now[part] - voice.lowest[part])
        moves = min(max((above - ABOVE[0]) / (ABOVE[1] - ABOVE[0]), 0.0), 1.0)
        # promises.heard
        moves *= min(max((said[_VOICE] - HEARD[0]) / (HEARD[1] - HEARD[0]), 0.0), 1.0)
        # neighbours.sureness, neighbours.guessed, promises.shut of neighbours.peaks, neighbours.released
        sure = max(said[_LIPS] - TEETH * said[_TEETH], 0.0)
        if len(said) > SAID:
            missed = max(said[SAID + _LIPS] - TEETH * said[SAID + _TEETH], 0.0)
            sure = max(GUESSED * sure, MISSED * missed)
        peak = sure * FLANK if sure < voice.sure else sure
        if peak < _S1:
            shut = _C0 + (_C1 - _C0) * (peak - _S0) / (_S1 - _S0)
        else:
            shut = _C1 + (_C2 - _C1) * (min(peak, _S2) - _S1) / (_S2 - _S1)
        shut = max(shut, RELEASE * voice.shut)
        voice.sure, voice.shut = sure, shut
        # neighbours.steadied
        for i in range(_MOUTHS):
            mouth[i] = said[i] * (1 - BEFORE) + before[i] * BEFORE if HEAVY[i] else said[i]
            before[i] = said[i]
        # parting.part
        drawn = funnel = wanted = np.float32(0)
        for i in range(_MOUTHS):
            drawn += mouth[i] * DRAWN[i]
            funnel += mouth[i] * ROUND[i]
            wanted += mouth[i] * WANTED[i]
        scale: Any = (max(wanted, LEAST * (drawn + funnel)) - funnel) / max(drawn, _LEAST_DRAWN)
        scale = min(max(scale, CHANGES[0]), CHANGES[1]) * GAIN * (1 - mouth[_CLOSE])
        # promises.keep
        for i in range(_MOUTHS):
            parted = min(mouth[i] * scale, 1.0) if DRAWN[i] > 0 else mouth[i]
            mouth[i] = parted * moves
        mouth[_CLOSE] = shut * moves


@compiled
def _least(values: FloatArray, least: FloatArray) -> None:
    """Find the lowest values, in order. (n,) into (m,)."""
    for i in range(len(least)):
        least[i] = np.inf
    for value in values:
        if value < least[-1]:
            at = len(least) - 1
            while at > 0 and least[at - 1] > value:
                least[at] = least[at - 1]
                at -= 1
            least[at] = value
