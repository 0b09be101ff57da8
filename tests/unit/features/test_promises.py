"""What the net's answer must keep: lips shut where a p, b or m is heard, rest without a voice."""

import numpy as np
import pytest

from avatar_worker.face.controls import seal
from avatar_worker.features.promises import HEARD, SHUT, heard, keep, shut
from avatar_worker.frames import MOUTH_NAMES

CLOSE = MOUTH_NAMES.index("lipClose")
OTHERS = [i for i in range(12) if i != CLOSE]


def mouths(count: int, other: float = 0.5, closing: float = 0.5) -> np.ndarray:
    made = np.full((count, 12), other, np.float32)
    made[:, CLOSE] = closing
    return made


def sure(*values: float) -> np.ndarray:
    """How surely p, b or m is heard in each picture."""
    return np.array(values, np.float32)


def kept(closing: np.ndarray, moves: float = 1.0, *, said: float = 0.5) -> np.ndarray:
    count = len(closing)
    return keep(mouths(count, closing=said), closing, np.full(count, moves, np.float32))


@pytest.mark.parametrize("said", [0.0, 0.5, 1.0])
def test_lips_shut_by_what_is_heard_and_not_by_what_the_net_says_of_them(said: float) -> None:
    closing = shut(sure(0.0, SHUT[0][1] / 2, SHUT[0][1], 1.0))
    assert closing == pytest.approx([0, SHUT[1][1] / 2, SHUT[1][1], 1])
    assert np.array_equal(kept(closing, said=said)[:, CLOSE], closing)


def test_at_the_knee_the_renderer_seals_the_lips() -> None:
    sealed = [seal(float(closing)) for closing in shut(sure(SHUT[0][1] + 0.01, 0.02))]
    assert sealed[0] > 0.9
    assert sealed[1] == 0


def test_a_surer_sound_never_opens_the_lips() -> None:
    closing = shut(np.linspace(0, 1, 50, dtype=np.float32))
    assert (np.diff(closing) >= 0).all()
    assert closing[0] == 0
    assert closing[-1] == 1
    assert closing.dtype == np.float32


def test_speech_leaves_the_other_controls_alone() -> None:
    assert kept(shut(sure(0.2, 0.9)))[:, OTHERS] == pytest.approx(0.5)


def test_without_a_voice_the_mouth_rests() -> None:
    silent = heard(sure(HEARD[0], 0.0))
    assert keep(mouths(2, other=1.0), shut(sure(0.0, 1.0)), silent).max() == 0


def test_a_sure_voice_changes_nothing() -> None:
    assert heard(sure(HEARD[1], 0.5, 1.0)).tolist() == [1, 1, 1]
    closing = shut(sure(0.0, 0.3))
    assert np.array_equal(keep(mouths(2), closing, sure(1, 1))[:, OTHERS], mouths(2)[:, OTHERS])


def test_the_more_voice_the_more_mouth() -> None:
    moves = heard(np.linspace(0, 2 * HEARD[1], 40, dtype=np.float32))
    jaw = keep(mouths(40), np.zeros(40, np.float32), moves)[:, 0]
    assert (np.diff(jaw) >= 0).all()
    assert len(np.unique(jaw)) > 5


def test_weights_stay_weights() -> None:
    for voice in (0.0, 0.04, 1.0):
        made = keep(mouths(2, other=1.0), shut(sure(0.0, 1.0)), heard(sure(voice, voice)))
        assert 0 <= made.min() <= made.max() <= 1
        assert made.dtype == np.float32


def test_each_voice_is_judged_alone() -> None:
    both = keep(mouths(2), shut(sure(1, 0)), sure(1, 0))
    assert np.array_equal(both[:1], keep(mouths(1), shut(sure(1)), sure(1)))
    assert both[1].max() == 0


def test_the_answer_of_the_net_is_not_changed_in_place() -> None:
    said = mouths(1)
    before = said.copy()
    keep(said, shut(sure(0.4)), sure(0.0))
    assert np.array_equal(said, before)
