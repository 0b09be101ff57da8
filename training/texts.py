"""What the synthesisers say: sentences without sense, of words that many people use.

The words come from Faker's lists (MIT). Languages whose list is missing or cannot be read by
espeak-ng get words built of their commonest syllables. Sense does not matter: the net learns
sounds, and unlikely neighbours teach it more than likely ones.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final

LOCALES: Final = {
    "en": "en_US", "es": "es_ES", "fr": "fr_FR", "it": "it_IT", "de": "de_DE", "nl": "nl_BE",
    "pl": "pl_PL", "cs": "cs_CZ", "da": "da_DK", "el": "el_GR", "ru": "ru_RU", "uk": "uk_UA",
    "ar": "ar_AA", "bn": "bn_BD", "fa": "fa_IR", "hy": "hy_AM", "vi": "vi_VN", "az": "az_AZ",
    "mk": "mk_MK", "zh": "zh_CN", "la": "la",
}  # fmt: skip

_KANA: Final = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわ"
    "がぎぐげござじずぜぞだでどばびぶべぼぱぴぷぺぽ"
)
_HINDI: Final = ("कखगघचछजझटठडढतथदधनपफबभमयरलवशसह", ["", "ा", "ि", "ी", "ु", "ू", "े", "ै", "ो", "ौ", "ं"])
_PORTUGUESE: Final = (
    "que não com uma para os mais como mas foi ele das tem seu sua ou ser quando muito nos já "
    "também pelo pela até isso ela entre depois sem mesmo aos seus quem me esse você casa tempo "
    "porque dia homem mulher vida mundo trabalho cidade água amigo bom belo grande pequeno novo "
    "velho falar comer beber dormir saber poder fazer dizer olhar chegar ficar passar levar bola "
    "campo ponte praia sombra lembrança abraço palavra pergunta resposta obrigado problema primeiro"
)
_ENDS: Final = {"zh": "。", "ja": "。", "hi": "।"}


def _kana_word(pick: random.Random) -> str:
    """Return two to five syllables of Japanese, sometimes with a long vowel, n or a stop."""
    word = "".join(pick.choice(_KANA) for _ in range(pick.randint(2, 4)))
    return word + pick.choice(["", "", "ん", "い", "う"])


def _hindi_word(pick: random.Random) -> str:
    """Return one to four syllables of Hindi."""
    consonants, vowels = _HINDI
    return "".join(pick.choice(consonants) + pick.choice(vowels) for _ in range(pick.randint(1, 4)))


_BUILT: Final[dict[str, Callable[[random.Random], str]]] = {"ja": _kana_word, "hi": _hindi_word}

LANGUAGES: Final = (*LOCALES, *_BUILT, "pt")
"""What `sentence` can write: ISO 639-1 codes."""


@cache
def words(language: str) -> tuple[str, ...]:
    """Return the word list of a language.

    Raises:
        KeyError: If it has none.
    """
    if language == "pt":
        return tuple(_PORTUGUESE.split())
    provider = import_module(f"faker.providers.lorem.{LOCALES[language]}").Provider
    return tuple(dict.fromkeys(word for word in provider.word_list if word.strip()))


def sentence(language: str, pick: random.Random) -> str:
    """Return three to fourteen words with a comma or two and an end.

    Args:
        language: One of `LANGUAGES`.
        pick: Where chance comes from; the same state writes the same sentence.
    """
    count = pick.randint(3, 14)
    if language in _BUILT:
        said = [_BUILT[language](pick) for _ in range(max(2, count // 2))]
    else:
        said = [pick.choice(words(language)) for _ in range(count)]
    for i in range(len(said) - 1):
        if pick.random() < 0.12:
            said[i] += ","
    gap = "" if language == "zh" else " "
    end = _ENDS.get(language) or pick.choice(["."] * 5 + ["?", "!"])
    return re.sub(r"\s+", " ", gap.join(said)).capitalize() + end
