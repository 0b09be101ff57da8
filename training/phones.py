"""The sounds of languages, written in articulatory units.

Two alphabets come in: ARPAbet from English tools, IPA from everything else. A sound may become
two units (a diphthong) or one shared by many sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from .units import VOWELS


class Segment(NamedTuple):
    """A unit and when it sounds, in seconds."""

    start: float
    end: float
    unit: str


_IPA_GROUPS: Final = {
    "a": "a", "A": "ɑ", "ae": "æ", "V": "ʌ", "6": "ɐ ä", "Q": "ɒ", "O": "ɔ", "o": "o ɤ",
    "U": "ʊ", "u": "u", "Y": "ʉ ʏ", "y": "y", "2": "ø ɵ", "9": "œ ɶ", "i": "i", "I": "ɪ",
    "e": "e", "E": "ɛ", "@": "ə ɘ", "3": "ɜ ɝ ɚ ɞ", "M": "ɯ", "1": "ɨ ᵻ",
    "p": "p", "b": "b ɓ", "m": "m ɱ", "f": "f ɸ", "v": "v ʋ ⱱ", "B": "β", "T": "θ", "D": "ð",
    "t": "t ʈ", "d": "d ɖ ɗ", "n": "n ɲ ɳ", "l": "l ɫ ɭ ʎ ɬ ɮ",
    "k": "k q ɡ g x ɣ χ ɟ c ɠ ç ʛ ɢ", "N": "ŋ ɴ", "h": "h ɦ ʔ ħ ʕ", "S": "ʃ ʒ ɕ ʑ ʂ ʐ",
    "s": "s z", "r": "ɹ ɻ ɺ", "rr": "ɾ r ɽ", "R": "ʁ ʀ", "w": "w ʍ ɥ", "j": "j",
}  # fmt: skip
IPA: Final = {letter: unit for unit, letters in _IPA_GROUPS.items() for letter in letters.split()}
"""One IPA letter to its unit; tones, stress and length are no letters here."""

_ARPABET: Final = (
    "aa:A ae:ae ah:V ao:O aw:a+U ax:@ axr:3 ay:a+I eh:E er:3 ey:e+I ih:I iy:i ow:o+U oy:O+I uh:U "
    "uw:u b:b p:p m:m em:m f:f v:v th:T dh:D t:t d:d dx:t n:n en:n nx:n l:l el:l k:k g:k ng:N "
    "hh:h hv:h sh:S zh:S ch:S jh:S s:s z:s r:r w:w wh:w y:j q:h pau:sil h#:sil sil:sil brth:sil "
    "ssil:sil +spn+:sil +nsn+:sil"
)
ARPABET: Final = {
    name: tuple(units.split("+"))
    for name, units in (item.rsplit(":", 1) for item in _ARPABET.split())
}
"""One ARPAbet symbol in lower case, without stress, to its units."""

_LOCAL: Final = {"fr": {"ɑ̃": "Q", "ɛ̃": "ae", "ɔ̃": "o", "ə": "9"}}
"""Letters that stand for another mouth in a language than elsewhere.

French nasal vowels have moved while their letters stayed: they are [ɒ̃ æ̃ õ] (Fougeron and Smith
1993, Journal of the IPA 23), and its schwa is as round as [œ].
"""

_AFFRICATES: Final = [("td", "ʃɕʂʒʑʐ", "S"), ("td", "sz", "s")]


def from_ipa(symbols: str, language: str = "") -> tuple[str, ...]:
    """Return the units of a run of IPA; affricates become their second half.

    Letters that are no sound (tone, stress, length) are passed over.

    Args:
        symbols: The letters.
        language: ISO 639-1, for the letters that it uses in its own way.
    """
    local = _LOCAL.get(language, {})
    units = []
    i = 0
    while i < len(symbols):
        pair = symbols[i : i + 2]
        for first, second, merged in _AFFRICATES:
            if len(pair) == 2 and pair[0] in first and pair[1] in second:
                units.append(merged)
                i += 1
                break
        else:
            letter = symbols[i]
            if (unit := local.get(pair) or local.get(letter) or IPA.get(letter)) is not None:
                units.append(unit)
        i += 1
    return tuple(units)


def segments(timed: Iterable[tuple[float, float, Sequence[str]]]) -> list[Segment]:
    """Lay units one after the other.

    Args:
        timed: Start, end (seconds) and the units that share the time; no unit means silence.

    Returns:
        One segment a unit. Of a diphthong the first part takes 60 %; silences that touch are one.
    """
    laid: list[Segment] = []
    for start, end, units in timed:
        if end <= start:
            continue
        shares = [1.0] * max(1, len(units))
        if len(units) == 2 and units[0] in VOWELS:
            shares = [1.2, 0.8]
        at = start
        for unit, share in zip(units or ("sil",), shares, strict=True):
            until = at + (end - start) * share / sum(shares)
            if laid and laid[-1].unit == unit == "sil":
                laid[-1] = Segment(laid[-1].start, until, unit)
            else:
                laid.append(Segment(at, until, unit))
            at = until
    return laid


def shifted(segs: Iterable[Segment], seconds: float) -> list[Segment]:
    """Move segments in time; what falls before 0 is cut, what ends there vanishes."""
    moved = (Segment(max(0.0, s.start + seconds), s.end + seconds, s.unit) for s in segs)
    return [s for s in moved if s.end > s.start]


def filled(segs: Sequence[Segment], length: float) -> list[Segment]:
    """Fill gaps with silence, from 0 to at least `length` seconds."""
    whole: list[tuple[float, float, tuple[str, ...]]] = []
    at = 0.0
    for s in segs:
        if s.start > at + 1e-3:
            whole.append((at, s.start, ()))
        whole.append((max(at, s.start), s.end, (s.unit,)))
        at = max(at, s.end)
    whole.append((at, max(length, at + 1e-3), ()))
    return segments(whole)
