"""Festival and Flite, two concatenating and statistical synthesisers of the university world.

Both tell exactly when each sound ends. Only voices whose licence allows any use are here: kal,
ked, rms, slt and awb, and the Arctic voice slt, are under licences like BSD's. The Czech,
Italian, Finnish and Russian voices of festival are not, or not certainly, and stay out.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from avatar_worker.errors import ConfigError
from training.phones import ARPABET, Segment, segments
from training.units import FloatArray

from . import Voice

_STRETCH: Final = (0.8, 0.9, 1.0, 1.0, 1.1, 1.25)
_LONGEST_S: Final = 60


def to_segments(ends: list[tuple[str, float]]) -> list[Segment]:
    """Turn ARPAbet symbols and the times they end at into units."""
    timed, start = [], 0.0
    for symbol, end in ends:
        if end < start:
            raise ValueError("the times start again")  # as flite's do at each sentence
        units = ARPABET.get(symbol.lower(), ("h",))
        timed.append((start, end, () if units == ("sil",) else units))
        start = end
    return segments(timed)


def _run(command: list[str]) -> str:
    """Run a synthesiser and return what it prints."""
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_LONGEST_S)
    except FileNotFoundError as error:
        raise ConfigError(f"{command[0]} is not installed (Debian: {command[0]})") from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"{command[0]} failed") from error
    return done.stdout.decode(errors="ignore")


def _read(path: Path) -> FloatArray:
    """Read a WAV file at 16 kHz."""
    rate, sound = wavfile.read(path)
    at_any: Any = sound.astype(np.float32) / 32_768
    heard: FloatArray = at_any
    if rate != 16_000:
        heard = resample_poly(at_any, 16_000, rate).astype(np.float32)
    return heard


class Flite:
    """Flite's voices of American, Indian and Scottish English."""

    name = "flite"

    def __init__(self) -> None:
        self.voices = [Voice(name, "en") for name in ("rms", "slt", "awb", "kal16")]

    def speak(
        self, voice: Voice, text: str, pick: random.Random
    ) -> tuple[FloatArray, list[Segment]]:
        """See `Engine.speak`."""
        with tempfile.TemporaryDirectory() as scratch:
            sound = Path(scratch) / "said.wav"
            stretch = f"duration_stretch={pick.choice(_STRETCH)}"
            printed = _run(
                [
                    "flite",
                    "-voice",
                    voice.name,
                    "--setf",
                    stretch,
                    "-psdur",
                    "-t",
                    text,
                    "-o",
                    str(sound),
                ]
            )
            heard = _read(sound)
        marks = (item.rsplit(":", 1) for item in printed.split() if ":" in item)
        return heard, to_segments([(symbol, float(end)) for symbol, end in marks])


class Festival:
    """Festival's English voices."""

    name = "festival"

    def __init__(self) -> None:
        names = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")
        self.voices = [Voice(name, "en") for name in names]

    def speak(
        self, voice: Voice, text: str, pick: random.Random
    ) -> tuple[FloatArray, list[Segment]]:
        """See `Engine.speak`."""
        with tempfile.TemporaryDirectory() as scratch:
            there = Path(scratch)
            plain = text.replace('"', "").replace("\\", "")
            (there / "say.scm").write_text(
                f"(voice_{voice.name})\n"
                f"(Parameter.set 'Duration_Stretch {pick.choice(_STRETCH)})\n"
                f'(set! said (utt.synth (Utterance Text "{plain}")))\n'
                f'(utt.save.wave said "{there}/said.wav" (quote riff))\n'
                f'(utt.save.segs said "{there}/said.seg")\n'
            )
            _run(["festival", "-b", str(there / "say.scm")])
            heard = _read(there / "said.wav")
            lines = (there / "said.seg").read_text().splitlines()
        fields = [line.split() for line in lines]
        return heard, to_segments(
            [(f[2], float(f[0])) for f in fields if len(f) == 3 and f[0][0].isdigit()]
        )
