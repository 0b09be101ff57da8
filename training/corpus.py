"""Labelled speech on disk: a folder of utterances, each a file of its own.

A file appears whole or not at all, so making a corpus can be killed at any moment and goes on
where it was: what an utterance is called follows from what it says, and a name that is there is
not made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.errors import ConfigError

from .phones import Segment

SUFFIX: Final = ".npz"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled utterance.

    Attributes:
        name: Unique in its corpus; letters, digits, `_` and `-`.
        engine: What spoke it.
        voice: Who, by the engine's name.
        language: ISO 639-1, maybe with a region.
        pcm: Mono, 16 kHz. int16, (n,).
        segments: Units with their times, already free of the engine's known lateness.
    """

    name: str
    engine: str
    voice: str
    language: str
    pcm: npt.NDArray[np.int16]
    segments: list[Segment]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / 16_000


class Corpus:
    """A folder of utterances.

    Args:
        folder: Made if absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Return where an utterance is, or would be."""
        return self.folder / (name + SUFFIX)

    def __contains__(self, name: str) -> bool:
        return self.path(name).exists()

    def __len__(self) -> int:
        return sum(1 for _ in self.folder.glob("*" + SUFFIX))

    def add(self, utterance: Utterance) -> None:
        """Write an utterance, whole or not at all; one of the same name is replaced."""
        what = {
            "engine": utterance.engine,
            "voice": utterance.voice,
            "language": utterance.language,
            "units": [s.unit for s in utterance.segments],
        }
        times = np.array([[s.start, s.end] for s in utterance.segments], np.float32)
        target = self.path(utterance.name)
        part = target.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez(file, pcm=utterance.pcm, times=times, what=np.array(json.dumps(what)))
        part.replace(target)

    def read(self, name: str) -> Utterance:
        """Return an utterance.

        Raises:
            ConfigError: If it is absent or not written by `add`.
        """
        try:
            with np.load(self.path(name)) as file:
                what = json.loads(str(file["what"]))
                timed = zip(file["times"].tolist(), what["units"], strict=True)
                segs = [Segment(start, end, unit) for (start, end), unit in timed]
                return Utterance(
                    name, what["engine"], what["voice"], what["language"], file["pcm"], segs
                )
        except (OSError, KeyError, ValueError) as error:
            raise ConfigError(f"{self.path(name)} is no utterance: {error}") from error

    def names(self) -> list[str]:
        """Return the names of all utterances, sorted."""
        return sorted(path.stem for path in self.folder.glob("*" + SUFFIX))

    def __iter__(self) -> Iterator[Utterance]:
        return (self.read(name) for name in self.names())
