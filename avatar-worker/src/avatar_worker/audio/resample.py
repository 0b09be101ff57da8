"""The door for speech: bytes at any rate in, aligned sound at our two rates out."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.errors import PeerError
from avatar_worker.frames import ANALYSIS_RATE, OUTPUT_RATE

from .polyphase import PolyphaseStream

LOWEST_RATE: Final = 8_000
HIGHEST_RATE: Final = 48_000
_RATIO: Final = OUTPUT_RATE // ANALYSIS_RATE  # 3

Pair = tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]


class SpeechDoor:
    """Turns one segment's bytes into the two signals of `AudioChunk`. Make one per segment.

    The bytes may be cut anywhere, inside a sample too. What comes out lasts exactly as long as
    what went in, rounded to whole samples at 16 kHz, and is held back by at most 8 ms.

    Args:
        sample_rate: Of the bytes, 8000 to 48000.
        channels: 1 or 2; two are averaged.

    Raises:
        PeerError: If the sender names a rate or a number of channels that speech does not have.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
            raise PeerError(
                f"speech of {sample_rate} samples per second cannot be played; "
                f"send {LOWEST_RATE} to {HIGHEST_RATE}"
            )
        if channels not in (1, 2):
            raise PeerError(f"speech has 1 or 2 channels, not {channels}")
        self._rate = sample_rate
        self._channels = channels
        self._bytes = b""
        self._frames = 0
        self._given = 0
        self._finished = False
        self._to_play = PolyphaseStream(sample_rate, OUTPUT_RATE)
        self._to_analyse = PolyphaseStream(sample_rate, ANALYSIS_RATE)
        self._play = np.zeros(0, np.float32)
        self._analyse = np.zeros(0, np.float32)

    def push(self, pcm_bytes: bytes) -> Pair:
        """Take interleaved s16le bytes, return the sound that they complete.

        Returns:
            48 kHz to be played, int16, (3 n,), and the same for the net, 16 kHz in [-1, 1],
            float32, (n,). n may be 0.

        Raises:
            ValueError: If the segment is finished.
        """
        if self._finished:
            raise ValueError("the segment is finished; open a new door for the next")
        mono = self._samples(pcm_bytes)
        self._frames += len(mono)
        self._play = np.concatenate([self._play, self._to_play.push(mono)])
        self._analyse = np.concatenate([self._analyse, self._to_analyse.push(mono)])
        return self._give(min(len(self._play) // _RATIO, len(self._analyse)))

    def finish(self) -> Pair:
        """Return the rest of the segment. Bytes of a sample that never ended are dropped.

        Raises:
            ValueError: If the segment is finished already.
        """
        if self._finished:
            raise ValueError("the segment is finished already")
        self._finished = True
        total = (2 * self._frames * ANALYSIS_RATE + self._rate) // (2 * self._rate)
        rest = total - self._given
        if self._rate != OUTPUT_RATE:
            tail = self._to_play.finish(total * _RATIO)
            self._play = np.concatenate([self._play, tail])
        if self._rate != ANALYSIS_RATE:
            self._analyse = np.concatenate([self._analyse, self._to_analyse.finish(total)])
        # At 48 kHz the rounding to 16 kHz may ask for one sample more than there is.
        missing = max(0, rest * _RATIO - len(self._play))
        self._play = np.concatenate([self._play, np.zeros(missing, np.float32)])
        return self._give(rest)

    def _samples(self, pcm_bytes: bytes) -> npt.NDArray[np.float32]:
        """Return whole frames as mono in [-1, 1) and keep the bytes that are left over."""
        data = self._bytes + pcm_bytes
        size = 2 * self._channels
        whole = len(data) - len(data) % size
        self._bytes = data[whole:]
        frames = np.frombuffer(data, "<i2", whole // 2).reshape(-1, self._channels)
        mono: npt.NDArray[np.float32] = frames.mean(axis=1, dtype=np.float32) / np.float32(32_768)
        return mono

    def _give(self, count: int) -> Pair:
        """Take `count` analysis samples and as much sound from what has gathered."""
        play, self._play = self._play[: count * _RATIO], self._play[count * _RATIO :]
        analyse, self._analyse = self._analyse[:count], self._analyse[count:]
        self._given += count
        scaled = np.clip(np.rint(play * 32_768), -32_768, 32_767).astype(np.int16)
        return scaled, np.clip(analyse, -1, 1)
