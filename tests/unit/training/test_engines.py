"""How the symbols and times of synthesisers become units: their lateness, pauses and marks."""

import random

import pytest
from training.engines import festival, joe, kokoro
from training.phones import Segment


def at(*items: tuple[float, float, str]) -> list[Segment]:
    return [Segment(pytest.approx(a), pytest.approx(b), unit) for a, b, unit in items]


def test_kokoros_times_come_60_ms_earlier() -> None:
    read = kokoro.to_segments([("^", 0, 0.3), ("m", 0.3, 0.4), ("$", 0.4, 0.6)], english=True)
    assert read == at((0, 0.24, "sil"), (0.24, 0.34, "m"), (0.34, 0.54, "sil"))


def test_a_stress_mark_gives_its_time_to_what_follows() -> None:
    read = kokoro.to_segments([("k", 0.1, 0.2), ("ˈ", 0.2, 0.25), ("æ", 0.25, 0.4)], english=True)
    assert read == at((0.04, 0.14, "k"), (0.14, 0.34, "ae"))


def test_a_length_mark_gives_its_time_to_what_was() -> None:
    read = kokoro.to_segments([("i", 0.1, 0.2), ("ː", 0.2, 0.3), ("t", 0.3, 0.4)], english=False)
    assert read == at((0.04, 0.24, "i"), (0.24, 0.34, "t"))


def test_short_spaces_are_shared_and_long_ones_are_silence() -> None:
    short = kokoro.to_segments([("a", 0.1, 0.2), (" ", 0.2, 0.26), ("b", 0.26, 0.4)], english=False)
    assert short == at((0.04, 0.17, "a"), (0.17, 0.34, "b"))
    long = kokoro.to_segments([("a", 0.1, 0.2), (" ", 0.2, 0.4), ("b", 0.4, 0.5)], english=False)
    assert [s.unit for s in long] == ["a", "sil", "b"]


def test_short_commas_belong_to_the_sound_before() -> None:
    read = kokoro.to_segments([("a", 0.1, 0.2), (",", 0.2, 0.25), ("b", 0.25, 0.4)], english=False)
    assert read == at((0.04, 0.19, "a"), (0.19, 0.34, "b"))


def test_capitals_are_diphthongs_in_english_alone() -> None:
    assert [s.unit for s in kokoro.to_segments([("A", 0.1, 0.3)], english=True)] == ["e", "I"]
    assert kokoro.to_segments([("A", 0.1, 0.3)], english=False) == []
    assert [s.unit for s in kokoro.to_segments([("ʧ", 0.1, 0.3)], english=False)] == ["S"]


def test_voices_that_are_held_out_exist_in_many_languages() -> None:
    assert {name[0] for name in kokoro.HELD_OUT} == {"a", "b", "z", "j", "e"}


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
