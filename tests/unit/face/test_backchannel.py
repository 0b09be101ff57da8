"""A nod is welcome 700 ms after the other's voice has dropped, and not too often."""

import numpy as np

from avatar_worker.face.backchannel import Backchannel
from avatar_worker.frames import Tone
from fakes.voice import TONE_S, MadeUpVoice


def moments(tones: list[Tone]) -> list[float]:
    listener = Backchannel()
    return [i * TONE_S for i, tone in enumerate(tones) if listener.hear(tone)]


def steady(seconds: float, hz: float) -> list[Tone]:
    """A voice within a semitone of its pitch."""
    noise = np.random.default_rng(int(hz))
    count = round(seconds / TONE_S)
    return [Tone(float(hz * 2 ** (noise.uniform(-1, 1) / 12)), -30.0) for _ in range(count)]


def silence(seconds: float) -> list[Tone]:
    return [Tone(0.0, -80.0)] * round(seconds / TONE_S)


def test_a_drop_of_the_voice_is_answered_700_ms_later() -> None:
    talk = steady(6.0, 150)
    before = moments(talk)
    dropped = moments(talk + [Tone(100.0, -30.0)] * 10 + steady(2.0, 150))
    new = [t for t in dropped if t > 6.0]
    assert len(new) >= 1
    # One or two tones before the drop may have been low by chance.
    assert -0.08 <= new[0] - (6.0 + 0.12 + 0.7) <= 0.02
    assert all(t in dropped for t in before)


def test_a_drop_of_less_than_110_ms_is_none() -> None:
    talk = [Tone(150.0, -30.0)] * 300
    assert moments(talk + [Tone(100.0, -30.0)] * 5 + [Tone(150.0, -30.0)] * 100) == []
    assert len(moments(talk + [Tone(100.0, -30.0)] * 6 + [Tone(150.0, -30.0)] * 100)) == 1


def test_it_is_answered_also_when_the_speaker_falls_silent() -> None:
    talk = [Tone(150.0, -30.0)] * 300 + [Tone(100.0, -30.0)] * 8
    assert len(moments(talk + silence(2.0))) == 1


def test_a_speaker_who_has_only_begun_is_let_speak() -> None:
    talk = [Tone(150.0, -30.0)] * 300 + silence(1.0)
    word = [Tone(150.0, -30.0)] * 5 + [Tone(100.0, -30.0)] * 8
    assert moments(talk + word + silence(2.0)) == []


def test_an_unknown_voice_is_not_judged() -> None:
    assert moments([Tone(150.0, -30.0)] * 60 + [Tone(90.0, -30.0)] * 30) == []


def test_nobody_is_answered_for_silence_or_noise() -> None:
    assert moments(silence(60)) == []
    assert moments([Tone(0.0, -20.0)] * 3_000) == []


def test_answers_are_800_ms_apart_at_least_and_some_a_minute() -> None:
    found = moments(MadeUpVoice(seed=1).tones(0, 300))
    assert min(np.diff(found)) >= 0.8 - 1e-9
    assert 4 <= len(found) / 5 <= 40


def test_the_memory_of_a_voice_is_bounded() -> None:
    listener = Backchannel()
    for tone in steady(120, 150):
        listener.hear(tone)
    assert len(listener._pitches) == 1_500
