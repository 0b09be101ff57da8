"""What the net's answer must keep: shut lips are shut, and without a voice the mouth rests."""

import numpy as np
import pytest

from avatar_worker.features.promises import HEARD, SHUT, keep
from avatar_worker.frames import MOUTH_NAMES

CLOSE = MOUTH_NAMES.index("lipClose")
OTHERS = [i for i in range(12) if i != CLOSE]


def mouths(closing: list[float], other: float = 0.5) -> np.ndarray:
    made = np.full((len(closing), 12), other, np.float32)
    made[:, CLOSE] = closing
    return made


def speaking(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


def test_sure_closings_are_shut_and_doubtful_ones_are_open() -> None:
    kept = keep(mouths([0.0, SHUT[0], SHUT[1], 1.0]), speaking(4))
    assert kept[:, CLOSE].tolist() == [0, 0, 1, 1]


def test_between_the_two_it_rises_and_never_falls() -> None:
    closing = np.linspace(0, 1, 50).tolist()
    kept = keep(mouths(closing), speaking(50))[:, CLOSE]
    assert (np.diff(kept) >= 0).all()
    assert len(np.unique(kept)) > 10


def test_speech_leaves_the_other_controls_alone() -> None:
    kept = keep(mouths([0.2, 0.9], other=0.37), speaking(2))
    assert kept[:, OTHERS] == pytest.approx(0.37)


def test_without_a_voice_the_mouth_rests() -> None:
    kept = keep(mouths([0.0, 1.0], other=1.0), np.array([HEARD[0], 0.0], np.float32))
    assert kept.max() == 0


def test_what_is_outside_its_range_is_brought_back() -> None:
    kept = keep(mouths([2.0, -1.0], other=1.5), speaking(2))
    assert kept.min() == 0
    assert kept.max() == 1


def test_each_voice_is_judged_alone() -> None:
    both = keep(mouths([1.0, 0.1]), np.array([1.0, 0.0], np.float32))
    assert np.array_equal(both[:1], keep(mouths([1.0]), speaking(1)))
    assert both[1].max() == 0


def test_the_answer_of_the_net_is_not_changed_in_place() -> None:
    said = mouths([0.4])
    before = said.copy()
    keep(said, np.zeros(1, np.float32))
    assert np.array_equal(said, before)
