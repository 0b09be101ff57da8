"""The mixer follows cues: moods and gestures reach the face, news of the user's turn the head."""

import math

import numpy as np
import pytest

from avatar_worker.clock import Ticks
from avatar_worker.face import Activity, Cue, FaceMixer, Gesture, Mood, Turn
from avatar_worker.face.gestures import GESTURES
from avatar_worker.face.moods import MOODS
from avatar_worker.frames import (
    CONTROL_INDEX,
    MOUTH_NAMES,
    VISEME_NAMES,
    FaceControls,
    Features,
)
from fakes.voice import MadeUpVoice

PERIOD = 1_920
STILL = {"sway_deg": {"yaw": 0.02, "pitch": 0.02, "roll": 0.02}, "blink_per_min": 0}


def live(
    mixer: FaceMixer, pictures: int, *, begin: int = 0, activity: Activity = Activity.IDLE
) -> list[FaceControls]:
    return [
        mixer.frame(Ticks((begin + i) * PERIOD), features=None, activity=activity)
        for i in range(pictures)
    ]


def after(*cues: Cue, pictures: int = 75, seed: int = 1) -> list[FaceControls]:
    mixer = FaceMixer(seed=seed, idle=STILL)
    live(mixer, 25)
    for cue in cues:
        mixer.express(cue)
    return live(mixer, pictures, begin=25)


def channel(frames: list[FaceControls], name: str) -> np.ndarray:
    return np.array([frame.weights[CONTROL_INDEX[name]] for frame in frames])


def vowel(close: float = 0.0) -> Features:
    mouth = np.zeros(len(MOUTH_NAMES), np.float32)
    mouth[MOUTH_NAMES.index("jawOpen")] = 0.6
    mouth[MOUTH_NAMES.index("lipClose")] = close
    visemes = np.zeros(len(VISEME_NAMES), np.float32)
    visemes[VISEME_NAMES.index("PP" if close else "aa")] = 1
    return Features(Ticks(0), mouth, visemes)


@pytest.mark.parametrize("name", [name for name in MOODS if name != "neutral"])
def test_every_mood_is_seen_at_rest(name: str) -> None:
    plain, felt = after()[-1], after(Mood(name))[-1]
    assert np.abs(felt.weights - plain.weights).max() > 0.05
    close = CONTROL_INDEX["mouthClose"]
    assert felt.weights[close] == plain.weights[close]


def test_a_mood_comes_within_its_fade_and_goes_with_neutral() -> None:
    mixer = FaceMixer(seed=2, idle=STILL)
    rest = channel(live(mixer, 25), "mouthSmileLeft").max()
    mixer.express(Mood("happy"))
    smile = channel(live(mixer, 25, begin=25), "mouthSmileLeft")
    assert smile[0] <= rest + 0.01
    assert smile[10:].min() > 0.6
    mixer.express(Mood("neutral"))
    assert channel(live(mixer, 25, begin=50), "mouthSmileLeft")[11:].max() < rest + 0.05


def test_a_weak_mood_is_a_small_one() -> None:
    full, half = (after(Mood("sad", i))[-1].weights for i in (1.0, 0.5))
    frown = CONTROL_INDEX["mouthFrownLeft"]
    assert 0 < half[frown] < 0.6 * full[frown]


def test_a_mood_does_not_end_with_the_state() -> None:
    mixer = FaceMixer(seed=3, idle=STILL)
    mixer.express(Mood("happy"))
    for i, activity in enumerate((Activity.IDLE, Activity.LISTENING, Activity.THINKING)):
        frames = live(mixer, 50, begin=i * 50, activity=activity)
        assert channel(frames, "mouthSmileLeft")[-1] > 0.6


def test_smiling_lips_close_and_the_corners_do_not_twitch_much() -> None:
    mixer = FaceMixer(seed=4, idle=STILL)
    mixer.express(Mood("happy", 1.0, 0.0))
    live(mixer, 2)
    frames = []
    for i in range(20):
        features = vowel(close=0.9 if i % 10 in (4, 5) else 0.0)
        now = Ticks((2 + i) * PERIOD)
        frames.append(mixer.frame(now, features=features, activity=Activity.SPEAKING))
    closed, smile = channel(frames, "mouthClose"), channel(frames, "mouthSmileLeft")
    assert closed[[4, 5, 14, 15]].min() > 0.8
    assert closed[[0, 1, 2, 8, 9]].max() < 0.1
    assert smile[[4, 5]].max() < smile[[2, 8]].min()
    assert smile[[4, 5]].min() > 0.5 * smile[[2, 8]].max()


def test_what_a_mood_would_part_is_closed_by_a_closure() -> None:
    def sneer(close: float) -> float:
        mixer = FaceMixer(seed=5, idle=STILL)
        mixer.express(Mood("angry", 1.0, 0.0))
        live(mixer, 2)
        frame = mixer.frame(Ticks(2 * PERIOD), features=vowel(close), activity=Activity.SPEAKING)
        return float(frame.weights[CONTROL_INDEX["noseSneerLeft"]])

    assert sneer(0.0) == pytest.approx(0.4, abs=0.01)
    assert sneer(0.9) == 0


@pytest.mark.parametrize("name", GESTURES)
def test_every_gesture_reaches_the_face(name: str) -> None:
    plain, made = after(), after(Gesture(name))
    moved = max(
        max(
            float(np.abs(a.weights - b.weights).max()),
            abs(a.head.yaw - b.head.yaw) / 4,
            abs(a.head.pitch - b.head.pitch) / 4,
            abs(a.head.roll - b.head.roll) / 4,
        )
        for a, b in zip(plain, made, strict=True)
    )
    assert moved > (0.02 if name == "look_at" else 0.2)


def test_a_nod_begins_at_once_and_is_over_after_a_second() -> None:
    pitch = np.array([f.head.pitch for f in after(Gesture("nod"))])
    assert pitch[:8].max() > 2
    assert pitch.max() < 6
    assert np.abs(pitch[30:]).max() < 0.6


def test_a_wink_is_one_eye() -> None:
    frames = after(Gesture("wink"))
    assert channel(frames, "eyeBlinkLeft").max() > 0.95
    assert channel(frames, "eyeBlinkRight").max() == 0


def test_look_away_and_look_at_move_the_eyes() -> None:
    def aside(frames: list[FaceControls]) -> np.ndarray:
        both = channel(frames, "eyeLookOutLeft") - channel(frames, "eyeLookInLeft")
        return 30 * both + np.array([f.head.yaw for f in frames])

    away = np.abs(aside(after(Gesture("look_away"))))
    assert away[3:28].min() > 5
    mixer = FaceMixer(seed=6, idle=STILL)
    live(mixer, 60, activity=Activity.THINKING)
    mixer.express(Gesture("look_at"))
    at = live(mixer, 60, begin=60, activity=Activity.THINKING)
    assert np.abs(aside(at)[3:60]).max() < 2


def test_more_cues_than_one_picture_can_follow_are_bounded() -> None:
    mixer = FaceMixer(seed=7, idle=STILL)
    for _ in range(10_000):
        mixer.express(Mood("angry"))
    mixer.express(Mood("neutral", 1.0, 0.0))
    assert len(mixer._cues) <= 16
    frames = live(mixer, 30)
    assert channel(frames, "browDownLeft")[2:].max() == 0


@pytest.mark.parametrize("spacing", [1.0, 5.0])
def test_a_listener_nods_at_some_pauses_and_at_most_once_in_four_seconds(spacing: float) -> None:
    mixer, nods, last = FaceMixer(seed=8, idle={}), [], -math.inf
    pauses = int(1_200 / spacing)
    for i in range(int(1_200 * 25)):
        if i % int(spacing * 25) == 0:
            mixer.express(Turn.PAUSED)
        mixer.frame(Ticks(i * PERIOD), features=None, activity=Activity.LISTENING)
        begun = mixer._head._assent[0]
        if begun != last and math.isfinite(begun):
            nods.append(begun)
            last = begun
    assert min(np.diff(nods)) >= 4 - 1e-9
    if spacing > 4:
        assert 0.32 < len(nods) / pauses < 0.48
    else:
        assert 0.1 < len(nods) / pauses < 0.25


def test_a_listener_takes_half_of_the_invitations_and_others_none() -> None:
    def nods(activity: Activity) -> int:
        mixer, begun = FaceMixer(seed=11, idle={}), set()
        for i in range(600 * 25):
            if i % 150 == 0:
                mixer.express(Turn.INVITES)
            mixer.frame(Ticks(i * PERIOD), features=None, activity=activity)
            begun.add(mixer._head._assent[0])
        return len(begun) - 1

    assert 35 <= nods(Activity.LISTENING) <= 65
    assert nods(Activity.THINKING) == nods(Activity.IDLE) == 0


def test_without_pauses_a_listener_does_not_nod() -> None:
    mixer = FaceMixer(seed=9, idle={})
    live(mixer, 2_000, activity=Activity.LISTENING)
    assert mixer._head._assent[0] == -math.inf


def test_the_brows_greet_the_users_first_word() -> None:
    frames = after(Turn.BEGAN, pictures=12)
    assert channel(frames, "browOuterUpLeft").max() > channel(frames, "browOuterUpLeft")[0] + 0.07


def test_a_lively_voice_opens_the_mouth_wider() -> None:
    def widest(semitones: float, decibels: float) -> float:
        mixer, voice = FaceMixer(seed=10, idle=STILL), MadeUpVoice(seed=10)
        for tone in voice.tones(0, 40):
            mixer.hear(tone)
        for tone in voice.tones(40, 42.5):
            changed = tone.pitch_hz * 2 ** (semitones / 12)
            mixer.hear(type(tone)(changed, tone.level_db + decibels))
        frame = mixer.frame(Ticks(0), features=vowel(), activity=Activity.SPEAKING)
        return float(frame.weights[CONTROL_INDEX["jawOpen"]])

    assert 0.85 * 0.6 <= widest(-3, -6) < 0.57
    assert 0.63 < widest(4, 6) <= 1.25 * 0.6 + 1e-6
