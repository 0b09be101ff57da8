"""Records of voices are laid together for a picture, and taken apart again."""

import numpy as np

from avatar_worker.features.hearing import EAR, new_ears
from avatar_worker.features.mel import FIRST_PEAK
from avatar_worker.features.voices import VOICE, apart, together


def voices(count: int) -> np.ndarray:
    made = np.zeros(count, VOICE)
    made["count"] = np.arange(count)
    made["ear"] = new_ears(count)
    return made


def test_what_is_taken_apart_is_laid_together_again_in_any_order() -> None:
    made = voices(5)
    kept = apart(made)
    assert [len(one) for one in kept] == [VOICE.itemsize] * 5
    again = together([kept[n] for n in (3, 0, 4)])
    assert again["count"].tolist() == [3, 0, 4]
    assert np.all(again["ear"]["peak"] == FIRST_PEAK)


def test_voices_laid_together_are_copies() -> None:
    made = voices(2)
    again = together(apart(made))
    again["levels"] = 7
    assert made["levels"].max() == 0


def test_a_record_lies_where_its_voice_does() -> None:
    made = voices(3)
    kept = apart(made)
    made["count"][1] = 40
    assert together(kept[1:2])["count"].tolist() == [40]


def test_a_voice_keeps_less_than_4_kb() -> None:
    assert EAR.itemsize < VOICE.itemsize < 4_096


def test_ears_begin_in_silence_that_is_not_digital() -> None:
    ears = new_ears(2)
    assert 1e-4 < np.std(ears["tail"][0]) < 1e-3
    assert np.array_equal(ears["tail"][0], ears["tail"][1])
    assert new_ears(1, dither=0)["tail"].max() == 0
