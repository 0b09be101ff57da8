"""Sound to log-mel bands as it streams, many voices at once: what `mel` says of a whole recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import compiled

from .elementary import log10
from .mel import (
    BANDS,
    DITHER_RMS,
    FFT,
    FILTERS,
    FIRST_PEAK,
    FRAMES_PER_STEP,
    HANN,
    HOP,
    LEAST_PEAK,
    NOISE,
    PEAK_DECAY,
    POWER_FLOOR,
    STEP,
    TAIL,
    TARGET_PEAK,
    WINDOW,
)  # fmt: skip

FloatArray = npt.NDArray[np.float32]

_AT_ONCE: Final = 8
_NO_SIGN: Final = np.int32(0x7FFFFFFF)
_ONE: Final = np.float32(1)
_FLOOR: Final = np.float32(POWER_FLOOR)
_RAMP: Final = np.linspace(0.0, 1.0, HOP, endpoint=False, dtype=np.float32)


def _flanks() -> tuple[npt.NDArray[np.int32], FloatArray, FloatArray]:
    """Return where the flanks of the filters begin, (42,), and what bins count in them, two (257,).

    Filters are triangles, each as wide as from the peak before its own to the one after. So a bin
    lies in two of them: from edge n to the next, filter n rises and filter n - 1 falls.
    """
    there = FILTERS > 0
    ends = len(there) - there[::-1].argmax(axis=0)
    edges = np.array([*there.argmax(axis=0), *ends[-2:]], np.int32)
    rises, falls = np.zeros((2, len(there)), np.float32)
    for band in range(BANDS):
        begin, peak, end = edges[band : band + 3]
        rises[begin:peak], falls[peak:end] = FILTERS[begin:peak, band], FILTERS[peak:end, band]
    return edges, rises, falls


_EDGES, _RISES, _FALLS = _flanks()

EAR: Final = np.dtype(
    [
        ("peak", "f8"),
        ("gain", "f8"),  # at the end of the last hop; 0 before the first
        ("dither", "f4"),
        ("steps", "i4"),  # modulo 100
        ("tail", "f4", (TAIL,)),
    ],
    align=True,
)
"""What one voice has left behind: its level, its place in the noise, its last samples."""


def new_ears(count: int, *, dither: float = DITHER_RMS) -> npt.NDArray[np.void]:
    """Return ears that have heard silence. `EAR`, (count,)."""
    ears = np.zeros(count, EAR)
    ears["peak"], ears["dither"] = FIRST_PEAK, dither
    ears["tail"] = NOISE[-TAIL:] * np.float32(dither)
    return ears


def hear(ears: npt.NDArray[np.void], pcm: FloatArray, mel: FloatArray, first: int) -> None:
    """Take 40 ms of each voice and write the four mel frames that it completes.

    Args:
        ears: `EAR` of B voices. Changed in place.
        pcm: Their next samples in [-1, 1], 16 kHz. float32, (B, 640), contiguous.
        mel: Where log10 band power is written. float32, (B, first + 4, 40), contiguous.
        first: The row of the first frame.
    """
    # More voices would not fit into the processor's cache.
    windows = np.zeros((min(len(pcm), _AT_ONCE) * FRAMES_PER_STEP, FFT), np.float32)
    spectra = np.empty_like(windows)
    for start in range(0, len(pcm), _AT_ONCE):
        count = min(_AT_ONCE, len(pcm) - start)
        _levelled(ears, pcm, NOISE, windows, start, count)
        rows = count * FRAMES_PER_STEP
        cv2.dft(windows[:rows], spectra[:rows], flags=cv2.DFT_ROWS)
        _banded(spectra[:rows], mel, start, first)


@compiled
def _levelled(
    ears: npt.NDArray[np.void],
    pcm: FloatArray,
    noise: FloatArray,
    windows: FloatArray,
    start: int,
    count: int,
) -> None:
    """Bring voices from `start` on to their level, cover silence, and cut the windows.

    Args:
        ears: As in `hear`.
        pcm: As in `hear`.
        noise: Of unit variance, a whole number of steps. (n,).
        windows: Four of each voice, 400 samples and zeros. (4 count, 512).
        start: The first voice.
        count: How many.
    """
    sound = np.empty(TAIL + STEP, np.float32)
    whole = pcm.view(np.int32)
    for row in range(count):
        ear, voice = ears[start + row], start + row
        tail, dither = ear.tail, ear.dither
        # A slice: of an index that might be negative only one number is taken at a time.
        hisses = noise[ear.steps * STEP : (ear.steps + 1) * STEP]
        for i in range(TAIL):
            sound[i] = tail[i]
        for hop in range(FRAMES_PER_STEP):
            here = hop * HOP
            # Without their signs numbers are in the order of their bits.
            bits = np.int32(0)
            for i in range(here, here + HOP):
                bits = max(bits, np.int32(whole[voice, i] & _NO_SIGN))
            loudest = np.float64(np.int32(bits).view(np.float32))
            ear.peak = max(ear.peak * PEAK_DECAY, loudest, LEAST_PEAK)
            gain = TARGET_PEAK / ear.peak
            came, goes = np.float32(gain if ear.gain == 0 else ear.gain), np.float32(gain)
            ear.gain = gain
            for i in range(HOP):
                ramped = came * (_ONE - _RAMP[i]) + goes * _RAMP[i]
                hiss = hisses[here + i] * dither
                sound[TAIL + here + i] = pcm[voice, here + i] * ramped + hiss
        ear.steps = (ear.steps + 1) % (len(noise) // STEP)
        for i in range(TAIL):
            tail[i] = sound[STEP + i]
        for frame in range(FRAMES_PER_STEP):
            for i in range(WINDOW):
                windows[row * FRAMES_PER_STEP + frame, i] = sound[frame * HOP + i] * HANN[i]


@compiled
def _banded(spectra: FloatArray, mel: FloatArray, start: int, first: int) -> None:
    """Turn spectra into log10 band power, four side by side.

    Args:
        spectra: As OpenCV packs them: Re 0, Re 1, Im 1, ..., Re 255, Im 255, Re 256. (4 n, 512).
        mel: Where it is written: of each voice four frames from `first` on. (B, frames, 40).
        start: The first voice.
        first: The first frame.
    """
    power = np.empty((FFT // 2, FRAMES_PER_STEP), np.float32)
    for row in range(0, len(spectra), FRAMES_PER_STEP):
        frames = mel[start + row // FRAMES_PER_STEP]
        # No filter reaches the first bin or the last.
        for i in range(_EDGES[0], _EDGES[-1]):
            for n in range(FRAMES_PER_STEP):
                power[i, n] = spectra[row + n, 2 * i - 1] ** 2 + spectra[row + n, 2 * i] ** 2
        a = b = c = d = _FLOOR
        for edge in range(BANDS + 1):
            # What falls, four frames of it, and what rises, and will fall behind the next edge.
            e = f = g = h = _FLOOR
            for i in range(_EDGES[edge], _EDGES[edge + 1]):
                fall, rise = _FALLS[i], _RISES[i]
                a, e = a + power[i, 0] * fall, e + power[i, 0] * rise
                b, f = b + power[i, 1] * fall, f + power[i, 1] * rise
                c, g = c + power[i, 2] * fall, g + power[i, 2] * rise
                d, h = d + power[i, 3] * fall, h + power[i, 3] * rise
            if edge > 0:
                frames[first, edge - 1], frames[first + 1, edge - 1] = a, b
                frames[first + 2, edge - 1], frames[first + 3, edge - 1] = c, d
            a, b, c, d = e, f, g, h
        for n in range(first, first + FRAMES_PER_STEP):
            for band in range(BANDS):
                frames[n, band] = log10(frames[n, band])


def bands(windows: FloatArray) -> FloatArray:
    """Turn windows of sound (n, 400) into log10 band power (n, 40).

    OpenCV transforms the rows of a batch ten times faster than NumPy does.
    """
    fours = -(-len(windows) // FRAMES_PER_STEP)
    padded = np.zeros((fours * FRAMES_PER_STEP, FFT), np.float32)
    np.multiply(windows, HANN, out=padded[: len(windows), :WINDOW])
    mel = np.empty((fours, FRAMES_PER_STEP, BANDS), np.float32)
    _banded(np.asarray(cv2.dft(padded, flags=cv2.DFT_ROWS), np.float32), mel, 0, 0)
    return mel.reshape(-1, BANDS)[: len(windows)]


class MelStream:
    """One voice that is heard alone.

    Args:
        dither: Root mean square of the noise that covers silence, full scale 1; 0 for none.
    """

    __slots__ = ("_dither", "ear")

    def __init__(self, *, dither: float = DITHER_RMS) -> None:
        self._dither = dither
        self.reset()

    def reset(self) -> None:
        """Forget the voice: what comes next follows on silence, at the level assumed at first."""
        self.ear = new_ears(1, dither=self._dither)


def log_mel_step(streams: Sequence[MelStream], pcm: Sequence[FloatArray]) -> FloatArray:
    """Take 40 ms of each voice and return the four mel frames that it completes.

    Args:
        streams: B voices, each once.
        pcm: Their next samples in [-1, 1], 16 kHz. B arrays, float32, (640,).

    Returns:
        log10 band power. float32, (B, 4, 40). At the n-th step (n = 0, 1, ...) row i is mel frame
        4 n - 2 + i; frames before 0 begin in the silence that came before.
    """
    ears = np.concatenate([stream.ear for stream in streams])
    mel = np.empty((len(streams), FRAMES_PER_STEP, BANDS), np.float32)
    hear(ears, np.stack(pcm), mel, 0)
    for row, stream in enumerate(streams):
        stream.ear = ears[row : row + 1]
    return mel
