"""A picture and the one before it: what opens and narrows has mass, closings are peaks."""

import numpy as np
import pytest

from avatar_worker.face.controls import SEAL
from avatar_worker.features.neighbours import (
    BEFORE,
    FLANK,
    GUESSED,
    MISSED,
    RELEASE,
    TEETH,
    guessed,
    peaks,
    released,
    steadied,
    sureness,
)  # fmt: skip
from avatar_worker.features.promises import shut
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

MOVES = [
    MOUTH_NAMES.index(name)
    for name in ("jawOpen", "lowerLipDown", "upperLipUp", "mouthFunnel", "mouthPucker", "lipClose")
]
SHAPES = [i for i in range(len(MOUTH_NAMES)) if i not in MOVES]


def course(values: list[float]) -> np.ndarray:
    """Mouths of which every control goes through some values. (n, 12)."""
    return np.repeat(np.array(values, np.float32)[:, None], 12, axis=1)


def along(mouths: np.ndarray) -> np.ndarray:
    """Steady a whole course from rest."""
    return steadied(mouths, np.concatenate([np.zeros_like(mouths[:1]), mouths[:-1]]))


def marks(values: list[float]) -> list[float]:
    """Peaks of a whole course of sureness."""
    course = np.array(values, np.float32)
    return peaks(course, np.concatenate([[0.0], course[:-1]]).astype(np.float32)).tolist()


def parting(values: list[float]) -> list[float]:
    """How far lips are shut along a course of closings."""
    shut = [0.0]
    for closing in values:
        shut += released(np.array([closing]), np.array(shut[-1:])).tolist()
    return shut[1:]


def certain(**probabilities: float) -> np.ndarray:
    """Probabilities of some visemes; the rest is aa. (1, 15)."""
    made = np.zeros((1, 15), np.float32)
    for name, probability in probabilities.items():
        made[0, VISEME_NAMES.index(name)] = probability
    made[0, VISEME_NAMES.index("aa")] = 1 - made.sum()
    return made


def test_what_does_not_move_stays_where_it_is() -> None:
    still = along(course([0.4] * 6))
    assert still[1:] == pytest.approx(0.4)
    assert still.dtype == np.float32


def test_the_picture_before_counts_its_share() -> None:
    flash = along(course([0.0, 1.0, 0.0, 0.0]))[:, MOVES]
    assert flash[:, 0] == pytest.approx([0, 1 - BEFORE, BEFORE, 0])


def test_an_opening_is_late_by_that_share_of_a_picture_and_no_more() -> None:
    ramp = along(course([0.0, 0.2, 0.4, 0.6, 0.8]))[:, 0]
    assert ramp[2:] == pytest.approx(np.array([0.4, 0.6, 0.8]) - 0.2 * BEFORE)


def test_it_trembles_less() -> None:
    shaky = course(np.random.default_rng(0).uniform(0, 1, 200).tolist())
    trembling = np.abs(np.diff(shaky[:, 0], 2)).mean()
    assert np.abs(np.diff(along(shaky)[:, 0], 2)).mean() < 0.8 * trembling


def test_shapes_are_not_steadied() -> None:
    some = np.random.default_rng(1).uniform(0, 1, (9, 12)).astype(np.float32)
    assert np.array_equal(along(some)[:, SHAPES], some[:, SHAPES])
    assert not np.array_equal(along(some)[:, MOVES], some[:, MOVES])


def test_what_falls_is_the_flank_of_a_closing() -> None:
    assert marks([0.0, 0.1, 0.9, 0.3, 0.0]) == pytest.approx([0, 0.1, 0.9, 0.3 * FLANK, 0])


def test_a_long_closing_stays_closed() -> None:
    assert marks([0.95, 0.95, 0.95]) == pytest.approx([0.95] * 3)


def test_no_peak_is_lost_and_none_is_made_surer() -> None:
    some = np.random.default_rng(2).uniform(0, 1, 300)
    left = np.array(marks(some.tolist()))
    assert (left <= some + 1e-6).all()
    assert (left >= FLANK * some - 1e-6).all()
    highest = [k for k in range(1, 299) if some[k] > max(some[k - 1], some[k + 1])]
    assert len(highest) > 50
    assert left[highest] == pytest.approx(some[highest])


def test_lips_part_more_slowly_than_they_meet() -> None:
    assert parting([0, 1, 0, 0]) == pytest.approx([0, 1, RELEASE, RELEASE**2])
    assert parting([0.3, 1, 0.9]) == pytest.approx([0.3, 1, 0.9])


def test_a_release_never_seals_the_lips() -> None:
    assert (SEAL[0] + SEAL[1]) / 2 + 1e-9 > RELEASE


def test_teeth_on_the_lip_speak_against_closed_lips() -> None:
    assert sureness(certain(PP=0.5))[0] == pytest.approx(0.5)
    assert sureness(certain(PP=0.5, FF=0.4))[0] == pytest.approx(0.5 - 0.4 * TEETH)
    assert sureness(certain(PP=0.1, FF=0.9))[0] == 0


def test_each_voice_follows_on_itself() -> None:
    now = np.array([0.5, 0.5], np.float32)
    left = peaks(now, np.array([0.0, 0.9], np.float32))
    assert left == pytest.approx([0.5, 0.5 * FLANK])


def test_a_closing_that_was_guessed_counts_less_than_one_that_was_heard() -> None:
    sure = np.linspace(0, 1, 11, dtype=np.float32)
    assert guessed(sure, np.zeros(11, np.float32)) == pytest.approx(GUESSED * sure)
    assert GUESSED < 1


def test_a_closing_that_was_missed_shuts_the_lips_in_the_next_picture() -> None:
    heard_out, missed = np.array([0, 1], np.float32), np.array([0, 0.05], np.float32)
    late = guessed(missed, heard_out)
    assert late == pytest.approx([0, MISSED])
    assert shut(late)[1] > SEAL[1]


def test_a_closing_that_was_shown_in_time_is_not_shown_again() -> None:
    # Guessed, and heard a picture later; then gone.
    sure = guessed(np.array([0.9, 0.1, 0], np.float32), np.array([0, 0.9, 0.1], np.float32))
    marked = marks(sure.tolist())
    assert marked[0] == pytest.approx(0.9 * GUESSED)
    assert shut(np.array(marked[1:], np.float32)).max() < shut(sure[:1])[0]
    assert marked[1] == pytest.approx(FLANK * MISSED * 0.9)


def test_what_was_guessed_and_what_was_heard_do_not_add_up() -> None:
    both = guessed(np.ones(1, np.float32), np.ones(1, np.float32))
    assert both == pytest.approx([max(GUESSED, MISSED)])
