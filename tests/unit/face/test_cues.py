"""Cues from outside are read strictly, and refused with the names that would do."""

from typing import Any

import pytest

from avatar_worker.errors import AvatarWorkerError, CueError
from avatar_worker.face.cues import Gesture, Mood, read_gesture, read_mood
from avatar_worker.face.gestures import GESTURES
from avatar_worker.face.moods import MOODS


def test_a_mood_has_its_numbers_or_the_usual_ones() -> None:
    assert read_mood({"mood": "happy"}) == Mood("happy", 1.0, 0.4)
    assert read_mood({"mood": "sad", "intensity": 0.6, "fade": 2}) == Mood("sad", 0.6, 2.0)
    assert read_mood({"mood": "sad", "intensity": 0, "fade": 10}) == Mood("sad", 0.0, 10.0)


def test_every_known_name_can_be_asked_for() -> None:
    assert [read_mood({"mood": name}).name for name in MOODS] == list(MOODS)
    assert [read_gesture({"gesture": name}) for name in GESTURES] == [*map(Gesture, GESTURES)]


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(CueError, match=r"no mood 'merry'; known are neutral, happy") as mood:
        read_mood({"mood": "merry"})
    assert (mood.value.code, mood.value.known) == ("UNKNOWN_MOOD", tuple(MOODS))
    with pytest.raises(CueError, match="no gesture 'Nod'; known are nod") as gesture:
        read_gesture({"gesture": "Nod"})
    assert (gesture.value.code, gesture.value.known) == ("UNKNOWN_GESTURE", tuple(GESTURES))
    assert isinstance(gesture.value, AvatarWorkerError)


def test_a_long_name_is_not_repeated_in_full() -> None:
    with pytest.raises(CueError) as caught:
        read_mood({"mood": "x" * 5_000})
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mood": None},
        {"mood": 3},
        {"mood": ["happy"]},
        {"mood": "happy", "intensity": "1"},
        {"mood": "happy", "intensity": True},
        {"mood": "happy", "intensity": None},
        {"mood": "happy", "intensity": -0.01},
        {"mood": "happy", "intensity": 1.01},
        {"mood": "happy", "intensity": float("nan")},
        {"mood": "happy", "fade": float("inf")},
        {"mood": "happy", "fade": 10**400},
        {"mood": "happy", "fade": 10.5},
        {"mood": "happy", "fade": -1},
        {"mood": "happy", "gesture": "nod"},
        {"mood": "happy", "Intensity": 1},
    ],
)
def test_anything_else_than_a_mood_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(CueError) as caught:
        read_mood(given)
    assert caught.value.code == "BAD_CUE"
    assert str(caught.value)


@pytest.mark.parametrize(
    "given", [{}, {"gesture": 1}, {"gesture": "nod", "intensity": 1}, {"mood": "happy"}]
)
def test_anything_else_than_a_gesture_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(CueError) as caught:
        read_gesture(given)
    assert caught.value.code == "BAD_CUE"
