"""Moods differ, fade as long as they are told to, and are gone when they are neutral."""

import numpy as np
import pytest

from avatar_worker.face.moods import MOODS, Moods, named_weights
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES


def after(name: str, intensity: float = 1.0) -> np.ndarray:
    moods = Moods()
    moods.set(name, intensity, 0.4, 1.0)
    weights, lean = moods.at(2.0)
    return np.concatenate([weights, lean])


def test_a_face_begins_neutral() -> None:
    weights, lean = Moods().at(5.0)
    assert not weights.any()
    assert not lean.any()


def test_neutral_adds_nothing() -> None:
    assert not after("neutral").any()


def test_the_moods_that_were_promised_are_there() -> None:
    assert {"neutral", "happy", "sad", "surprised", "serious", "thoughtful"} <= set(MOODS)
    assert {"concerned", "sorry", "angry"} <= set(MOODS)


def test_no_two_moods_look_alike() -> None:
    names = list(MOODS)
    for i, one in enumerate(names):
        for other in names[:i]:
            assert np.abs(after(one) - after(other)).max() >= 0.1, (one, other)


@pytest.mark.parametrize("name", MOODS)
def test_no_mood_touches_what_closes_the_lips_or_moves_the_eyes(name: str) -> None:
    weights = dict(zip(CONTROL_NAMES, after(name), strict=False))
    for control, weight in weights.items():
        if control.startswith(("mouthClose", "eyeLook", "eyeBlink", "jaw", "tongue", "breath")):
            assert weight == 0, control
        assert -0.2 <= weight <= 1, control


def test_a_smile_reaches_the_eyes_and_thins_closed_lips() -> None:
    weights = dict(zip(CONTROL_NAMES, after("happy"), strict=False))
    for side in ("Left", "Right"):
        assert weights[f"cheekSquint{side}"] > 0.5
        assert 0.2 < weights[f"mouthPress{side}"] < weights[f"mouthSmile{side}"] < 1


def test_half_the_intensity_is_half_the_mood() -> None:
    assert after("sad", 0.5) == pytest.approx(0.5 * after("sad"))


def test_a_fade_takes_its_time_and_never_jumps() -> None:
    moods = Moods()
    moods.set("happy", 1.0, 0.4, 10.0)
    smile = np.array(
        [moods.at(10 + i * 0.04)[0][CONTROL_INDEX["mouthSmileLeft"]] for i in range(12)]
    )
    assert smile[0] == 0
    assert (np.diff(smile[:11]) > 0).all()
    assert smile[9] < smile[10] == smile[11] == pytest.approx(0.85)
    assert np.diff(smile).max() < 0.2 * smile[-1]


def test_a_second_mood_sets_out_from_where_the_first_has_come_to() -> None:
    moods = Moods()
    moods.set("happy", 1.0, 1.0, 0.0)
    halfway = moods.at(0.5)[0]
    moods.set("sad", 1.0, 1.0, 0.5)
    assert moods.at(0.5)[0] == pytest.approx(halfway)
    weights, lean = moods.at(1.6)
    assert np.concatenate([weights, lean]) == pytest.approx(after("sad"))


def test_a_fade_of_no_time_is_there_with_the_next_picture() -> None:
    moods = Moods()
    moods.set("sad", 1.0, 0.0, 3.0)
    weights, lean = moods.at(3.04)
    assert np.concatenate([weights, lean]) == pytest.approx(after("sad"))


def test_names_with_both_mean_both_sides() -> None:
    weights = named_weights({"browDownBoth": 0.3, "browInnerUp": 0.2})
    assert weights[CONTROL_INDEX["browDownLeft"]] == weights[CONTROL_INDEX["browDownRight"]] == 0.3
    assert weights.sum() == pytest.approx(0.8)
    with pytest.raises(KeyError):
        named_weights({"browSideways": 1})
