"""What the net's answer must keep: lips shut where a p, b or m is heard, rest without a voice."""

import numpy as np
import pytest

from avatar_worker.face.controls import seal
from avatar_worker.features.promises import HEARD, SHUT, keep
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

CLOSE = MOUTH_NAMES.index("lipClose")
BILABIAL = VISEME_NAMES.index("PP")
OTHERS = [i for i in range(12) if i != CLOSE]


def mouths(count: int, other: float = 0.5, closing: float = 0.5) -> np.ndarray:
    made = np.full((count, 12), other, np.float32)
    made[:, CLOSE] = closing
    return made


def heard(bilabial: list[float]) -> np.ndarray:
    """Probabilities of which so much is p, b or m and the rest aa."""
    made = np.zeros((len(bilabial), 15), np.float32)
    made[:, BILABIAL] = bilabial
    made[:, VISEME_NAMES.index("aa")] = 1 - made[:, BILABIAL]
    return made


@pytest.mark.parametrize("said", [0.0, 0.5, 1.0])
def test_lips_shut_by_what_is_heard_and_not_by_what_the_net_says_of_them(said: float) -> None:
    kept = keep(mouths(4, closing=said), heard([0.0, SHUT[0][1] / 2, SHUT[0][1], 1.0]))
    assert kept[:, CLOSE] == pytest.approx([0, SHUT[1][1] / 2, SHUT[1][1], 1])


def test_at_the_knee_the_renderer_seals_the_lips() -> None:
    kept = keep(mouths(2), heard([SHUT[0][1] + 0.01, 0.02]))
    sealed = [seal(float(closing)) for closing in kept[:, CLOSE]]
    assert sealed[0] > 0.9
    assert sealed[1] == 0


def test_a_surer_sound_never_opens_the_lips() -> None:
    kept = keep(mouths(50), heard(np.linspace(0, 1, 50).tolist()))[:, CLOSE]
    assert (np.diff(kept) >= 0).all()
    assert kept[0] == 0
    assert kept[-1] == 1


def test_speech_leaves_the_other_controls_alone() -> None:
    kept = keep(mouths(2, other=0.37), heard([0.2, 0.9]))
    assert kept[:, OTHERS] == pytest.approx(0.37)


def test_without_a_voice_the_mouth_rests() -> None:
    kept = keep(mouths(2, other=1.0), heard([0.0, 1.0]), np.array([HEARD[0], 0.0], np.float32))
    assert kept.max() == 0


def test_a_sure_voice_changes_nothing() -> None:
    free = keep(mouths(2), heard([0.0, 0.3]))
    assert np.array_equal(free, keep(mouths(2), heard([0.0, 0.3]), np.ones(2, np.float32)))
    assert np.array_equal(
        free, keep(mouths(2), heard([0.0, 0.3]), np.full(2, HEARD[1], np.float32))
    )


def test_the_more_voice_the_more_mouth() -> None:
    voice = np.linspace(0, 1, 20).astype(np.float32)
    jaw = keep(mouths(20), heard([0.0] * 20), voice)[:, 0]
    assert (np.diff(jaw) >= 0).all()
    assert len(np.unique(jaw)) > 5


def test_what_is_outside_its_range_is_brought_back() -> None:
    kept = keep(mouths(2, other=1.5), heard([0.0, 1.0]))
    assert kept.min() == 0
    assert kept.max() == 1
    assert keep(mouths(1, other=-0.5), heard([0.0])).min() == 0


def test_each_voice_is_judged_alone() -> None:
    both = keep(mouths(2), heard([1.0, 0.0]), np.array([1.0, 0.0], np.float32))
    assert np.array_equal(both[:1], keep(mouths(1), heard([1.0]), np.ones(1, np.float32)))
    assert both[1].max() == 0


def test_the_answer_of_the_net_is_not_changed_in_place() -> None:
    said = mouths(1)
    before = said.copy()
    keep(said, heard([0.4]), np.zeros(1, np.float32))
    assert np.array_equal(said, before)
