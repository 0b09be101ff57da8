"""The net as a few products of matrices: what `graph` says, at half its cost.

A graph of small nodes moves its numbers more than it multiplies them. Here whatever stands between
two products is one compiled loop over the batch, and the first convolution is asked of each mel
frame once: a voice remembers what it said of the last four. How they take less than half of their
products stands in `convolving`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import compiled
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

from .convolving import POINTS, at_points, between, entering, leaving
from .elementary import exp, sigmoid, tanh
from .mel import BANDS, FRAMES_PER_STEP
from .weights import Contents

FloatArray = npt.NDArray[np.float32]

_MOUTHS: Final = len(MOUTH_NAMES)
_VOICE: Final = _MOUTHS + len(VISEME_NAMES)
SAID: Final = _VOICE + 1
"""What the net says of a picture: mouth, visemes and voice. 28."""
_ZERO: Final = np.float32(0)
_ONE: Final = np.float32(1)


class MatrixNet:
    """A net of the fifth kind, taken apart.

    Args:
        held: What its file holds.
        near: Ask the heads that look 40 ms ahead too, not only those that look 80.

    Raises:
        KeyError: If a part of it is missing.
        ValueError: If the parts do not fit.
    """

    def __init__(self, held: Contents, *, near: bool) -> None:
        named, pictures = held.arrays, ["net.near.", "net."] if near else ["net."]
        (memory,), (join,) = held.inputs["GRU"], held.inputs["MatMul"]
        self._mean = named["net.mean"]
        self._first = at_points(named["net.first.weight"] / named["net.spread"][:, None])
        self._first_bias = named["net.first.bias"]
        self._second = at_points(named["net.second.weight"])
        self._second_bias = named["net.second.bias"]
        self._join, self._join_bias = named[join[1]], named["net.join.bias"]
        self._sound, self._state = (_turned(named[name][0]) for name in memory[1:3])
        self._sound_bias, self._state_bias = np.split(named[memory[3]][0], 2)
        self._mix = _turned(np.concatenate([named[f"{of}mix.weight"] for of in pictures]))
        self._mix_bias = np.concatenate([named[f"{of}mix.bias"] for of in pictures])
        asked = [[f"{of}{name}" for name in ("mouth", "viseme", "voice")] for of in pictures]
        self._heads = _side_by_side(
            [_turned(np.concatenate([named[f"{name}.weight"] for name in of])) for of in asked]
        )
        self._heads_bias = np.concatenate([named[f"{name}.bias"] for of in asked for name in of])
        self._hidden = len(self._state)
        channels, width = len(self._second_bias), len(self._mix_bias)
        memories, said = 3 * self._hidden, SAID * len(pictures)
        for part, shape in (
            (self._mean, (BANDS,)),
            (self._first, (POINTS, BANDS, channels)), (self._first_bias, (channels,)),
            (self._second, (POINTS, channels, channels)), (self._second_bias, (channels,)),
            (self._join, (FRAMES_PER_STEP * channels, self._hidden)),
            (self._join_bias, (self._hidden,)),
            (self._sound, (self._hidden, memories)), (self._sound_bias, (memories,)),
            (self._state, (self._hidden, memories)), (self._state_bias, (memories,)),
            (self._mix, (2 * self._hidden, width)), (self._mix_bias, (width,)),
            (self._heads, (width, said)), (self._heads_bias, (said,)),
        ):  # fmt: skip
            if part.shape != shape:
                raise ValueError(f"a part of the net is {part.shape}, wanted is {shape}")

    def rest(self, history: FloatArray) -> FloatArray:
        """Return the memory of a voice that follows on mel frames (8, 40). float32, (n,)."""
        said = np.matmul(entering(history[None], self._mean), self._first)
        frames = leaving(said, self._first_bias)
        return np.concatenate([np.zeros(self._hidden, np.float32), frames.ravel()])

    def step(self, mel: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Hear the newest four mel frames of each voice.

        Args:
            mel: With the eight before them. float32, (B, 12, 40), contiguous.
            memory: Of each voice. float32, (B, n), contiguous; is changed in place.

        Returns:
            Mouth weights, probabilities of visemes, and that of a voice, (B, 28); with 40 ms of
            look-ahead beside them the same of the picture before, (B, 56). And the memory.
        """
        voices, hidden = len(mel), self._hidden
        first = np.matmul(entering(mel, self._mean), self._first)
        second = np.matmul(between(first, self._first_bias, memory), self._second)
        frames = leaving(second, self._second_bias).reshape(voices, -1)
        # What the memory says stands beside what is heard: both are mixed.
        seen = np.empty((voices, 2 * hidden), np.float32)
        np.matmul(frames, self._join, out=seen[:, hidden:])
        _settle(seen, self._join_bias, hidden)
        sound, state = seen[:, hidden:] @ self._sound, memory[:, :hidden] @ self._state
        _remember(sound, state, self._sound_bias, self._state_bias, memory, seen)
        mixed = seen @ self._mix
        _settle(mixed, self._mix_bias, 0)
        heads: FloatArray = np.matmul(mixed, self._heads)
        _say(heads, self._heads_bias)
        return heads, memory


def _side_by_side(weights: list[FloatArray]) -> FloatArray:
    """Lay matrices along a diagonal: each has rows and columns of its own, and 0 elsewhere."""
    sizes = np.array([one.shape for one in weights])
    wide = np.zeros(sizes.sum(axis=0), np.float32)
    for one, (row, column) in zip(weights, sizes.cumsum(axis=0) - sizes, strict=True):
        wide[row : row + one.shape[0], column : column + one.shape[1]] = one
    return wide


def _turned(weights: FloatArray) -> FloatArray:
    return np.ascontiguousarray(weights.T)


@compiled
def _settle(said: FloatArray, bias: FloatArray, start: int) -> None:
    """Add a bias to columns from `start` on, and cut off what is below 0. (B, n), in place."""
    for voice in range(len(said)):
        columns = said[voice, start:]  # a slice, as in `hearing`
        for i in range(len(bias)):
            columns[i] = max(columns[i] + bias[i], _ZERO)


@compiled
def _remember(
    sound: FloatArray,
    state: FloatArray,
    sound_bias: FloatArray,
    state_bias: FloatArray,
    memory: FloatArray,
    seen: FloatArray,
) -> None:
    """Take a step of the recurrent memory: keep (z), reset (r), and what is new (n), as in ONNX.

    Args:
        sound: What is heard, times its weights. float32, (B, 3 hidden).
        state: What is remembered, times its weights. float32, (B, 3 hidden).
        sound_bias: Of both, (3 hidden,).
        state_bias: See there.
        memory: The first columns are what is remembered. Changed in place.
        seen: Its first columns become what is remembered now.
    """
    hidden = len(state_bias) // 3
    for voice in range(len(sound)):
        for i in range(hidden):
            r, n = hidden + i, 2 * hidden + i
            keep = sigmoid(sound[voice, i] + sound_bias[i] + state[voice, i] + state_bias[i])
            reset = sigmoid(sound[voice, r] + sound_bias[r] + state[voice, r] + state_bias[r])
            new = tanh(sound[voice, n] + sound_bias[n] + reset * (state[voice, n] + state_bias[n]))
            now = new + keep * (memory[voice, i] - new)
            memory[voice, i] = now
            seen[voice, i] = now


@compiled
def _say(heads: FloatArray, bias: FloatArray) -> None:
    """Turn logits into weights and probabilities: mouth, visemes, voice. (B, 28 n), in place."""
    for voice in range(len(heads)):
        for start in range(0, len(bias), SAID):
            said, more = heads[voice, start : start + SAID], bias[start : start + SAID]
            highest = said[_MOUTHS] + more[_MOUTHS]
            for i in range(_MOUTHS, _VOICE):
                highest = max(highest, said[i] + more[i])
            for i in range(SAID):
                said[i] = exp(said[i] + more[i] - (highest if _MOUTHS <= i < _VOICE else _ZERO))
            total = _ZERO
            for i in range(_MOUTHS, _VOICE):
                total += said[i]
            for i in range(SAID):
                said[i] /= total if _MOUTHS <= i < _VOICE else _ONE + said[i]
