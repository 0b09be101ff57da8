"""How the symbols and times of synthesisers become units: their lateness, pauses and marks."""

import random

import numpy as np
import pytest
from training.engines import festival, joe, kokoro
from training.phones import Segment


def at(*items: tuple[float, float, str]) -> list[Segment]:
    return [Segment(pytest.approx(a), pytest.approx(b), unit) for a, b, unit in items]


def test_kokoros_times_come_60_ms_earlier() -> None:
    read = kokoro.to_segments([("^", 0, 0.3), ("m", 0.3, 0.4), ("$", 0.4, 0.6)], language="en")
    assert read == at((0, 0.24, "sil"), (0.24, 0.34, "m"), (0.34, 0.54, "sil"))


def test_a_stress_mark_gives_its_time_to_what_follows() -> None:
    read = kokoro.to_segments([("k", 0.1, 0.2), ("ˈ", 0.2, 0.25), ("æ", 0.25, 0.4)], language="en")
    assert read == at((0.04, 0.14, "k"), (0.14, 0.34, "ae"))


def test_a_length_mark_gives_its_time_to_what_was() -> None:
    read = kokoro.to_segments([("i", 0.1, 0.2), ("ː", 0.2, 0.3), ("t", 0.3, 0.4)], language="es")
    assert read == at((0.04, 0.24, "i"), (0.24, 0.34, "t"))


def test_short_spaces_are_shared_and_long_ones_are_silence() -> None:
    short = kokoro.to_segments([("a", 0.1, 0.2), (" ", 0.2, 0.26), ("b", 0.26, 0.4)], language="es")
    assert short == at((0.04, 0.17, "a"), (0.17, 0.34, "b"))
    long = kokoro.to_segments([("a", 0.1, 0.2), (" ", 0.2, 0.4), ("b", 0.4, 0.5)], language="es")
    assert [s.unit for s in long] == ["a", "sil", "b"]


def test_short_commas_belong_to_the_sound_before() -> None:
    read = kokoro.to_segments([("a", 0.1, 0.2), (",", 0.2, 0.25), ("b", 0.25, 0.4)], language="es")
    assert read == at((0.04, 0.19, "a"), (0.19, 0.34, "b"))


def test_capitals_are_diphthongs_in_english_alone() -> None:
    assert [s.unit for s in kokoro.to_segments([("A", 0.1, 0.3)], language="en")] == ["e", "I"]
    assert kokoro.to_segments([("A", 0.1, 0.3)], language="es") == []
    assert [s.unit for s in kokoro.to_segments([("ʧ", 0.1, 0.3)], language="es")] == ["S"]


def test_a_tilde_belongs_to_the_vowel_before_it() -> None:
    symbols = [("ʃ", 0.1, 0.2), ("ɑ", 0.2, 0.3), ("\u0303", 0.3, 0.35), ("ə", 0.35, 0.4)]
    french = kokoro.to_segments(symbols, language="fr")
    assert french == at((0.04, 0.14, "S"), (0.14, 0.29, "Q"), (0.29, 0.34, "9"))
    assert [s.unit for s in kokoro.to_segments(symbols, language="hi")] == ["S", "A", "@"]
    assert kokoro.to_segments(symbols[2:3], language="fr") == []


def test_voices_that_are_held_out_exist_in_many_languages() -> None:
    assert {name[0] for name in kokoro.HELD_OUT} == {"a", "b", "z", "j", "e"}


def test_voices_are_blended_within_their_language() -> None:
    styles = {
        name: np.array([value]) for name, value in (("af_x", 0.0), ("am_y", 1.0), ("zf", 9.0))
    }
    heard = [float(kokoro.blended(styles, "af_x", random.Random(i))[0]) for i in range(200)]
    assert 60 < heard.count(0.0) < 140
    assert all(0.25 <= share <= 0.6 for share in heard if share)


def test_the_only_voice_of_a_language_is_blended_with_any_other() -> None:
    styles = {
        name: np.array([value]) for name, value in (("ff_x", 0.0), ("am_y", 1.0), ("zf", 2.0))
    }
    heard = [float(kokoro.blended(styles, "ff_x", random.Random(i))[0]) for i in range(200)]
    assert max(heard) > 1, "the one of them"
    assert any(0.25 <= share <= 0.5 for share in heard), "the other"
    assert 60 < heard.count(0.0) < 140
    assert kokoro.blended({"ff_x": styles["ff_x"]}, "ff_x", random.Random(1)) is styles["ff_x"]


def test_joes_pads_belong_to_what_was_and_his_times_come_25_ms_earlier() -> None:
    symbols = [("^", 0, 0.1), ("_", 0.1, 0.12), ("m", 0.12, 0.18), ("_", 0.18, 0.2), ("ˈ", 0.2, 0.21), ("_", 0.21, 0.22), ("i", 0.22, 0.3), ("_", 0.3, 0.32), (".", 0.32, 0.5)]  # fmt: skip
    read = joe.to_segments(symbols)
    assert [s.unit for s in read] == ["sil", "m", "i", "sil"]
    assert read[1].start == pytest.approx(0.095)
    assert read[2].end == pytest.approx(0.295)
    assert all(a.end <= b.start + 1e-9 for a, b in zip(read, read[1:], strict=False))


def test_festivals_ends_become_segments() -> None:
    read = festival.to_segments([("pau", 0.2), ("M", 0.3), ("ay", 0.5), ("zz", 0.6)])
    assert read == at((0, 0.2, "sil"), (0.2, 0.3, "m"), (0.3, 0.42, "a"), (0.42, 0.5, "I"), (0.5, 0.6, "h"))  # fmt: skip


def test_times_that_start_again_are_refused() -> None:
    with pytest.raises(ValueError, match="start again"):
        festival.to_segments([("aa", 0.5), ("b", 0.1)])


def test_texts_follow_from_chance_alone() -> None:
    from training.texts import sentence

    for language in ("hi", "ja", "pt"):
        one, two = (sentence(language, random.Random(3)) for _ in range(2))
        assert one == two
        assert len(one) > 5
        assert one != sentence(language, random.Random(4))
