"""What a process saw and heard, with times, and how to write and read it as one file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from .marks import Marks

RATE: Final = 48_000
SLICES: Final = 10
"""Loudness values of a 10 ms packet of sound."""

Floats = npt.NDArray[np.float64]


@dataclass
class Recording:
    """Grows while a process runs. Times are seconds of the monotonic clock.

    Attributes:
        pictures: (time, count, loud, speaking) of each picture.
        sounds: (time of the first sample, RMS of each of its 10 ms).
        streams: When the first byte of each speech stream was there.
        delays: Names and values that explain a path, e.g. a jitter buffer's mean in ms.
    """

    pictures: list[tuple[float, int, bool, bool]] = field(default_factory=list)
    sounds: list[tuple[float, Floats]] = field(default_factory=list)
    streams: list[float] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)

    def picture(self, at: float, marks: Marks) -> None:
        """Note a picture."""
        self.pictures.append((at, marks.count, marks.loud, marks.speaking))

    def sound(self, at: float, pcm: npt.NDArray[np.int16]) -> None:
        """Note 10 ms of 48 kHz mono."""
        slices = pcm.astype(np.float64).reshape(SLICES, -1) / 32768
        self.sounds.append((at, np.sqrt(np.mean(np.square(slices), axis=1))))

    def write(self, path: Path) -> None:
        """Write everything noted so far."""
        np.savez(
            path,
            pictures=np.array(self.pictures, np.float64).reshape(-1, 4),
            sound_times=np.array([at for at, _ in self.sounds], np.float64),
            envelope=np.array([e for _, e in self.sounds], np.float64).reshape(-1, SLICES),
            streams=np.array(self.streams, np.float64),
            delay_names=np.array(list(self.delays), np.str_),
            delay_values=np.array(list(self.delays.values()), np.float64),
        )


@dataclass(frozen=True)
class Recorded:
    """A recording that is over.

    Attributes:
        picture_times: float64, (P,).
        counts: int64, (P,), modulo 65536.
        loud: bool, (P,).
        speaking: bool, (P,).
        times: Time of every millisecond of sound. float64, (S,).
        envelope: Its RMS in [0, 1]. float64, (S,).
        streams: float64, (B,).
        delays: As in `Recording`.
    """

    picture_times: Floats
    counts: npt.NDArray[np.int64]
    loud: npt.NDArray[np.bool_]
    speaking: npt.NDArray[np.bool_]
    times: Floats
    envelope: Floats
    streams: Floats
    delays: dict[str, float]


def read(path: Path) -> Recorded:
    """Read what `Recording.write` wrote."""
    with np.load(path) as file:
        pictures = file["pictures"]
        arrived = steady(file["sound_times"])
        return Recorded(
            picture_times=pictures[:, 0],
            counts=pictures[:, 1].astype(np.int64),
            loud=pictures[:, 2] > 0,
            speaking=pictures[:, 3] > 0,
            times=(arrived[:, None] + np.arange(SLICES) / 1000).reshape(-1),
            envelope=file["envelope"].reshape(-1),
            streams=file["streams"],
            delays=dict(zip(file["delay_names"].tolist(), file["delay_values"], strict=True)),
        )


def steady(arrived: Floats, window: int = 51) -> Floats:
    """Take the jitter of an event loop out of arrival times of 10 ms packets.

    A packet may be seen late, never early; so the earliest of its neighbours tells the beat.
    """
    if not len(arrived):
        return arrived
    beat = np.arange(len(arrived)) * 0.01
    offset = np.pad(arrived - beat, window // 2, mode="edge")
    steady: Floats = np.lib.stride_tricks.sliding_window_view(offset, window).min(axis=1) + beat
    return steady
