"""espeak-ng through its C library (GPL-3, a tool here: nothing of it ships).

It speaks by rule, always alike, but in any language and in hundreds of timbres, and it says
exactly when each sound begins.
"""

from __future__ import annotations

import ctypes
import random
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from avatar_worker.errors import ConfigError
from training.phones import Segment, from_ipa, segments
from training.units import FloatArray

from . import Voice

_LIBRARY: Final = "libespeak-ng.so.1"
_RETRIEVE, _PHONEMES_AND_IPA, _UTF8 = 1, 3 | 0x8000, 1  # AUDIO_OUTPUT_RETRIEVAL is 1
_PHONEME_EVENT: Final = 7
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER

_DIALECTS: Final = {
    "en": ["gmw/en-US", "gmw/en-US", "gmw/en", "gmw/en-GB-x-rp", "gmw/en-GB-scotland",
           "gmw/en-GB-x-gbclan", "gmw/en-GB-x-gbcwmd", "gmw/en-US-nyc"],
    "es": ["roa/es", "roa/es-419"], "fr": ["roa/fr", "roa/fr-BE", "roa/fr-CH"], "de": ["gmw/de"],
    "nl": ["gmw/nl"],
    "pl": ["zlw/pl"], "cs": ["zlw/cs"], "da": ["gmq/da"], "el": ["grk/el"], "ru": ["zle/ru"],
    "uk": ["zle/uk"], "ar": ["sem/ar"], "bn": ["inc/bn"], "fa": ["ira/fa"], "hy": ["ine/hy"],
    "vi": ["aav/vi"], "az": ["trk/az"], "mk": ["zls/mk"], "zh": ["sit/cmn"], "ja": ["jpx/ja"],
    "hi": ["inc/hi"], "la": ["itc/la"],
}  # fmt: skip
_TIMBRES: Final = [
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "m8",
    "Alex",
    "Alicia",
    "Andrea",
    "Andy",
    "Annie",
    "anika",
    "adam",
    "antonio",
    "aunty",
    "belinda",
    "benjamin",
    "boris",
    "caleb",
    "david",
    "ed",
    "edward",
    "edward2",
    "gustave",
    "iven",
    "iven2",
    "iven3",
    "john",
    "klatt",
    "klatt2",
    "klatt3",
    "klatt4",
    "klatt5",
    "linda",
    "marcelo",
    "max",
    "michael",
    "michel",
    "miguel",
    "Mike",
    "norbert",
    "pablo",
    "paul",
    "pedro",
    "quincy",
    "rob",
    "robert",
    "sandro",
    "shelby",
    "steph",
    "steph2",
    "travis",
    "victor",
    "zac",
    "whisper",
    "Lee",
    "Gene",
    "Denis",
    "Diogo",
    "Hugo",
    "Jacky",
    "Marco",
    "Mario",
    "Henrique",
    "grandma",
    "grandpa",
]


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Id),
    ]  # fmt: skip


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The synthesiser; one in a process.

    Raises:
        ConfigError: If the library is not installed.
    """

    name = "espeak"

    def __init__(self) -> None:
        try:
            self._library: Any = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise ConfigError("espeak-ng is not installed (Debian: espeak-ng)") from error
        self.rate: int = self._library.espeak_Initialize(2, 0, None, _PHONEMES_AND_IPA)
        self._sound: list[npt.NDArray[np.int16]] = []
        self._marks: list[tuple[float, str]] = []
        # The library keeps no reference: the object must outlive every call.
        self._callback = _Callback(self._heard)
        self._library.espeak_SetSynthCallback(self._callback)
        self.voices = [Voice(language, language) for language in _DIALECTS]

    def _heard(self, sound: Any, count: int, events: Any) -> int:
        """Take what the library gives while it speaks."""
        if sound and count > 0:
            self._sound.append(np.ctypeslib.as_array(sound, shape=(count,)).copy())
        i = 0
        while events[i].type != 0:
            if events[i].type == _PHONEME_EVENT:
                raw = ctypes.string_at(ctypes.addressof(events[i].id), 8).split(b"\0")[0]
                self._marks.append((events[i].audio_position / 1_000, raw.decode("utf8", "ignore")))
            i += 1
        return 0

    def speak(
        self, voice: Voice, text: str, pick: random.Random
    ) -> tuple[FloatArray, list[Segment]]:
        """See `Engine.speak`."""
        timbre = pick.choice([*_TIMBRES, *[""] * 6])
        full = pick.choice(_DIALECTS[voice.language]) + (f"+{timbre}" if timbre else "")
        if self._library.espeak_SetVoiceByName(full.encode()):
            raise ValueError(f"no voice {full}")
        for parameter, value in (
            (_RATE, pick.choice([120, 140, 150, 160, 175, 190, 205, 225, 260])),
            (_PITCH, pick.randint(20, 85)),
            (_RANGE, pick.randint(25, 90)),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._sound.clear()
        self._marks.clear()
        spelled = text.encode()
        self._library.espeak_Synth(spelled, len(spelled) + 1, 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        if not self._sound:
            raise ValueError("no sound")
        sound = np.concatenate(self._sound).astype(np.float32) / 32_768
        ends = [start for start, _ in self._marks[1:]] + [len(sound) / self.rate]
        timed = []
        for (start, symbol), end in zip(self._marks, ends, strict=True):
            units = from_ipa(symbol, voice.language)
            if not units and symbol.strip("ː ˈˌ_:"):
                units = ("h",)  # a sound that has no place in the table
            timed.append((start, end, units))
        if self.rate == 22_050:
            sound = resample_poly(sound, 320, 441).astype(np.float32)
        return sound, segments(timed)
