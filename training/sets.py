"""Recordings to measure against: real speech with its phones, films with measured lips.

They are not part of the project. A folder holds `speech/real/` (sound, and `NAME.phones.json`
with ARPAbet symbols in seconds), `speech/tts/` (the same by several engines, in many languages)
and `videos/` (films, and `NAME.npz` with the lip gap of each frame). Any part may be empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

from avatar_worker.errors import ConfigError
from avatar_worker.frames import ANALYSIS_RATE

from .engines import joe, kokoro
from .phones import ARPABET, Segment, from_ipa, segments, shifted
from .units import FloatArray

_FPS: Final = 25
STUDIO: Final = "grid_"
"""Clips of this prefix were filmed in a studio: sound and lips are in step."""


class EvaluationDataError(ConfigError):
    """The evaluation data is absent or not as described."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Speech of which every sound is known.

    Attributes:
        name: File name without its ending.
        language: ISO 639-1.
        pcm: Mono, 16 kHz, in [-1, 1]. float32, (n,).
        segments: Its units.
    """

    name: str
    language: str
    pcm: FloatArray
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class Filmed:
    """Speech with the lips that spoke it, at 25 pictures a second.

    Attributes:
        name: File name without its ending.
        pcm: Mono, 16 kHz, in [-1, 1]. float32, (n,).
        gap: Distance of the inner lips over that of the eye corners. (pictures,).
    """

    name: str
    pcm: FloatArray
    gap: FloatArray

    @property
    def studio(self) -> bool:
        """Whether sound and lips are known to be in step."""
        return self.name.startswith(STUDIO)


def read_sound(path: Path) -> FloatArray:
    """Return the first sound track of a file. float32, (n,), 16 kHz, mono.

    Raises:
        EvaluationDataError: If it cannot be decoded.
    """
    resampler = av.AudioResampler(format="s16", layout="mono", rate=ANALYSIS_RATE)
    parts: list[npt.NDArray[Any]] = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                parts += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
        parts += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    except (av.FFmpegError, OSError, IndexError) as error:
        raise EvaluationDataError(f"cannot read the sound of {path}: {error}") from error
    sound: FloatArray = np.concatenate(parts).astype(np.float32) / 32_768
    return sound


def _beside(labels: Path, stem: str, no: str) -> Path:
    """Return the recording that a label file is about."""
    found = [
        p for p in sorted(labels.parent.glob(f"{stem}.*")) if p.suffix not in (no, ".txt", ".json")
    ]
    if not found:
        raise EvaluationDataError(f"{labels} has no recording beside it")
    return found[0]


def _real(items: list[list[Any]]) -> list[Segment]:
    """Read what the aligner wrote: ARPAbet and SIL."""
    timed = []
    for symbol, start, end in items:
        units = ARPABET.get(symbol.lower(), ("h",))
        timed.append((start, end, () if units == ("sil",) else units))
    return segments(timed)


def _language(name: str, labels: dict[str, Any]) -> str:
    """Return the language of a label file, ISO 639-1.

    Files of espeak-ng are called after its voice; others that name none are English.
    """
    named = name.split("_")[1] if name.startswith("espeak_") else "en"
    code = str(labels.get("lang", named)).split("-")[0].split("_")[0]
    return "zh" if code == "cmn" else code


def _said(name: str, labels: dict[str, Any]) -> list[Segment] | None:
    """Read what an engine wrote; None if its symbols are not known here."""
    items = [(str(s), float(a), float(b)) for s, a, b in labels["phones"]]
    applied = "offset_applied_s" in labels
    if name.startswith("kokoro"):
        read = kokoro.to_segments(items, language=_language(name, labels))
        return shifted(read, kokoro.LATE_S) if applied else read
    if name.startswith("piper"):
        read = joe.to_segments(items)
        return shifted(read, joe.LATE_S) if applied else read
    if name.startswith("espeak"):
        language = _language(name, labels)
        timed = [
            (a, b, from_ipa(s, language) or (("h",) if s.strip("ː ˈˌ_:") else ()))
            for s, a, b in items
        ]
        return segments(timed)
    if all(s.lower() in ARPABET for s, _, _ in items):
        return _real([list(item) for item in items])
    return None


def speech(folder: Path) -> list[Spoken]:
    """Return the real utterances."""
    found = []
    for labels in sorted((folder / "speech" / "real").glob("*.phones.json")):
        stem = labels.name.removesuffix(".phones.json")
        items = json.loads(labels.read_text())
        found.append(Spoken(stem, "en", read_sound(_beside(labels, stem, ".npz")), _real(items)))
    return found


def synthetic(folder: Path) -> Iterator[Spoken]:
    """Return the synthetic utterances whose symbols are known here."""
    for labels in sorted((folder / "speech" / "tts").glob("*.phones.json")):
        stem = labels.name.removesuffix(".phones.json")
        written = json.loads(labels.read_text())
        said = _said(stem, written)
        if said:
            yield Spoken(
                stem, _language(stem, written), read_sound(_beside(labels, stem, ".npz")), said
            )


def films(folder: Path) -> list[Filmed]:
    """Return the films."""
    found = []
    for track in sorted((folder / "videos").glob("*.npz")):
        pcm = read_sound(_beside(track, track.stem, ".npz"))
        try:
            with np.load(track) as file:
                t, gap = file["t"], file["gap"]
        except (KeyError, ValueError, OSError) as error:
            raise EvaluationDataError(f"{track} is no lip track: {error}") from error
        seen = ~np.isnan(gap)
        length = min(float(t[-1]), len(pcm) / ANALYSIS_RATE)
        times = np.arange(int(length * _FPS)) / _FPS
        found.append(Filmed(track.stem, pcm, np.interp(times, t[seen], gap[seen])))
    return found


def check(folder: Path) -> None:
    """Refuse a folder that holds none of it.

    Raises:
        EvaluationDataError: With what was looked for, and where.
    """
    wanted = ("speech/real/*.phones.json", "videos/*.npz")
    if not any(next(folder.glob(pattern), None) for pattern in wanted):
        raise EvaluationDataError(
            f"no evaluation data in {folder.absolute()}: wanted {' or '.join(wanted)}; "
            "name another folder by --data or AVALUMA_EVALUATION_DATA"
        )
