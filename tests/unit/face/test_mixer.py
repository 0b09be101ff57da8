"""Ten minutes of each state look like a calm person; transitions are seen and are gentle."""

import math

import numpy as np
import pytest

from avatar_worker.clock import Ticks
from avatar_worker.face import Activity, FaceMixer, Gesture, Mood, Turn
from avatar_worker.frames import CONTROL_INDEX, FaceControls
from fakes.voice import MadeUpVoice

PERIOD = 1_920
MINUTES = 10
BAND = {  # blinks a minute: Doughty (2001), 95 % of people
    Activity.IDLE: (8, 21),
    Activity.LISTENING: (8, 21),
    Activity.THINKING: (8, 32.5),
    Activity.SPEAKING: (10.5, 32.5),
    Activity.AWAY: (8, 21),
}


LEAD_S = 0.08
"""The voice is heard this long before it is seen."""


def live(activity: Activity, minutes: float = MINUTES, seed: int = 5) -> list[FaceControls]:
    return speak(FaceMixer(seed=seed, idle={}), activity, minutes, MadeUpVoice(seed))


def speak(
    mixer: FaceMixer, activity: Activity, minutes: float, voice: MadeUpVoice
) -> list[FaceControls]:
    frames = []
    for i in range(int(minutes * 60 * 25)):
        features = None
        if activity is Activity.SPEAKING:
            features, heard = voice.features(i * 0.04), i * 0.04 + LEAD_S
            for tone in voice.tones(heard - 0.04 if i else 0, heard):
                mixer.hear(tone)
        frames.append(mixer.frame(Ticks(i * PERIOD), features=features, activity=activity))
    return frames


@pytest.fixture(scope="module")
def lives() -> dict[Activity, list[FaceControls]]:
    return {activity: live(activity) for activity in Activity}


def channel(frames: list[FaceControls], name: str) -> np.ndarray:
    return np.array([frame.weights[CONTROL_INDEX[name]] for frame in frames])


def angles(frames: list[FaceControls]) -> np.ndarray:
    """Yaw, pitch, roll, (n, 3)."""
    return np.array([(f.head.yaw, f.head.pitch, f.head.roll) for f in frames])


def looks_at(frames: list[FaceControls]) -> np.ndarray:
    """Where the eyes point in the room, degrees, (n, 2)."""
    x = channel(frames, "eyeLookOutLeft") - channel(frames, "eyeLookInLeft")
    y = channel(frames, "eyeLookDownLeft") * 30 - channel(frames, "eyeLookUpLeft") * 25
    return np.stack([x * 30, y], axis=1) + angles(frames)[:, :2]


def blink_starts(frames: list[FaceControls]) -> np.ndarray:
    closed = channel(frames, "eyeBlinkLeft")
    return np.flatnonzero((closed[1:] > 0) & (closed[:-1] == 0)) + 1


@pytest.mark.parametrize("activity", Activity)
def test_the_blink_rate_is_a_persons(
    lives: dict[Activity, list[FaceControls]], activity: Activity
) -> None:
    low, high = BAND[activity]
    assert low <= len(blink_starts(lives[activity])) / MINUTES <= high


def test_people_blink_more_when_they_speak(lives: dict[Activity, list[FaceControls]]) -> None:
    speaking, listening = (
        len(blink_starts(lives[a])) for a in (Activity.SPEAKING, Activity.LISTENING)
    )
    assert speaking > 1.2 * listening


@pytest.mark.parametrize(
    ("activity", "sigma"),
    [
        (Activity.IDLE, (0.8, 0.5, 0.6)),
        (Activity.LISTENING, (1.2, 0.8, 0.9)),
        (Activity.THINKING, (1.0, 0.8, 0.7)),
    ],
)
def test_the_head_sways_as_much_as_the_state_asks_for(
    lives: dict[Activity, list[FaceControls]],
    activity: Activity,
    sigma: tuple[float, float, float],
) -> None:
    settled = angles(lives[activity])[25:]
    assert settled.std(axis=0).tolist() == pytest.approx(sigma, rel=0.25)


def test_speaking_moves_the_head_more_and_nods_add_to_the_pitch(
    lives: dict[Activity, list[FaceControls]],
) -> None:
    yaw, pitch, roll = angles(lives[Activity.SPEAKING]).std(axis=0)
    assert 1.5 < yaw < 2.5
    assert 1.2 < pitch < 2.2
    assert 1.1 < roll < 1.9


@pytest.mark.parametrize("activity", Activity)
def test_head_and_eyes_stay_within_what_looks_right(
    lives: dict[Activity, list[FaceControls]], activity: Activity
) -> None:
    head = angles(lives[activity])
    assert (np.abs(head).max(axis=0) <= (8, 6, 4)).all()
    assert np.abs(np.diff(head, axis=0)).max() / 0.04 <= 35 + 1e-6
    for side in ("Left", "Right"):
        for name, limit in (("In", 20 / 30), ("Out", 20 / 30), ("Up", 12 / 25), ("Down", 18 / 30)):
            assert channel(lives[activity], f"eyeLook{name}{side}").max() <= limit + 1e-6


@pytest.mark.parametrize(
    ("activity", "low", "high"),
    [(Activity.IDLE, 0.7, 0.9), (Activity.LISTENING, 0.84, 0.97), (Activity.SPEAKING, 0.65, 0.85)],
)
def test_the_eyes_hold_the_viewer_while_the_head_sways(
    lives: dict[Activity, list[FaceControls]], activity: Activity, low: float, high: float
) -> None:
    assert low <= (np.hypot(*looks_at(lives[activity]).T) < 1.8).mean() <= high


def test_both_eyes_look_the_same_way(lives: dict[Activity, list[FaceControls]]) -> None:
    frames = lives[Activity.SPEAKING]
    assert np.array_equal(channel(frames, "eyeLookOutLeft"), channel(frames, "eyeLookInRight"))
    assert np.array_equal(channel(frames, "eyeLookInLeft"), channel(frames, "eyeLookOutRight"))
    assert (channel(frames, "eyeLookInLeft") * channel(frames, "eyeLookOutLeft") == 0).all()


@pytest.mark.parametrize("activity", Activity)
def test_no_two_pictures_are_the_same_and_no_pose_repeats(
    lives: dict[Activity, list[FaceControls]], activity: Activity
) -> None:
    frames = lives[activity]
    assert len({frame.weights.tobytes() for frame in frames}) == len(frames)
    yaw = angles(frames)[:, 0] - angles(frames)[:, 0].mean()
    power = np.abs(np.fft.rfft(yaw, 2 * len(yaw))) ** 2
    correlation = np.fft.irfft(power)[: len(yaw)]
    correlation /= correlation[0]
    forgotten = np.argmax(correlation < 0.5)
    assert forgotten * 0.04 < 5
    assert correlation[forgotten : 60 * 25].max() < 0.9


def test_the_same_seed_lives_the_same_life_and_another_does_not() -> None:
    one, same, other = (
        live(Activity.IDLE, 0.2),
        live(Activity.IDLE, 0.2),
        live(Activity.IDLE, 0.2, 6),
    )
    assert all(
        a.head == b.head and np.array_equal(a.weights, b.weights)
        for a, b in zip(one, same, strict=True)
    )
    assert one[-1].head != other[-1].head


def test_the_avatars_own_seed_counts_too() -> None:
    first, second = (FaceMixer(seed=1, idle={"seed": seed}) for seed in (1, 2))
    heads = [m.frame(Ticks(0), features=None, activity=Activity.IDLE).head for m in (first, second)]
    assert heads[0] != heads[1]


@pytest.mark.parametrize("seed", range(8))
def test_thinking_leans_to_where_the_eyes_went_within_half_a_second(seed: int) -> None:
    mixer = FaceMixer(seed=seed, idle={"sway_deg": {"yaw": 0.05, "pitch": 0.05, "roll": 0.05}})
    now = 0
    for _ in range(100):
        mixer.frame(Ticks(now), features=None, activity=Activity.LISTENING)
        now += PERIOD
    frames = []
    for _ in range(40):
        frames.append(mixer.frame(Ticks(now), features=None, activity=Activity.THINKING))
        now += PERIOD
    yaw = angles(frames)[:, 0]
    assert abs(yaw[13]) == pytest.approx(3, abs=0.4)
    eyes = looks_at(frames)
    assert np.sign(eyes[13, 0]) == np.sign(yaw[13])
    assert eyes[13, 1] < -1
    moved_first = np.argmax(np.hypot(*eyes.T) > 4)
    assert moved_first * 0.04 <= 0.25
    assert channel(frames, "browInnerUp")[13] > 0.12
    assert channel(frames, "mouthPressLeft")[13] > 0.08


def test_a_blink_and_a_nod_never_begin_in_the_same_picture() -> None:
    mixer, now, nods = FaceMixer(seed=9, idle={}), 0, 0
    for turn in range(200):
        mixer.express(Turn.PAUSED)
        for activity in (Activity.LISTENING, Activity.THINKING):
            for _ in range(13):
                mixer.frame(Ticks(now), features=None, activity=activity)
                now += PERIOD
                nod = mixer._head._assent[0]
                if math.isfinite(nod) and nod * 48_000 > now - PERIOD:
                    nods += 1
                    assert abs(nod - mixer._blinks.started_at()) > 0.04, turn
    assert nods > 20


def test_a_film_of_its_own_keeps_eyes_and_head_but_not_the_mouth() -> None:
    mixer = FaceMixer(seed=1, idle={"style": "clip"})
    for cue in (Mood("sad"), Gesture("nod"), Gesture("look_away"), Turn.PAUSED):
        mixer.express(cue)
    frames = speak(mixer, Activity.SPEAKING, 1, MadeUpVoice())
    assert np.abs(angles(frames)).max() == 0
    for name in ("eyeBlinkLeft", "eyeLookOutLeft", "eyeLookUpLeft", "breath"):
        assert np.abs(channel(frames, name)).max() == 0
    assert channel(frames, "jawOpen").max() > 0.5


def test_a_lively_avatar_moves_and_blinks_more() -> None:
    def with_idle(**idle: object) -> list[FaceControls]:
        mixer = FaceMixer(seed=2, idle=idle)
        return [
            mixer.frame(Ticks(i * PERIOD), features=None, activity=Activity.IDLE)
            for i in range(7_500)
        ]

    usual, lively = with_idle(), with_idle(blink_per_min=34, sway_deg={"yaw": 2.4})
    assert len(blink_starts(lively)) > 1.6 * len(blink_starts(usual))
    assert angles(lively)[:, 0].std() == pytest.approx(2 * angles(usual)[:, 0].std(), rel=0.05)
    assert np.array_equal(angles(lively)[:, 2], angles(usual)[:, 2])


def test_pictures_carry_the_time_they_were_asked_for() -> None:
    mixer = FaceMixer(seed=0, idle={})
    assert mixer.frame(Ticks(77), features=None, activity=Activity.IDLE).pts == 77


def test_a_clock_that_stands_or_jumps_does_no_harm() -> None:
    mixer = FaceMixer(seed=0, idle={})
    times = [0, 0, PERIOD, PERIOD - 5, 48_000 * 3_600, 48_000 * 3_600 + PERIOD]
    frames = [mixer.frame(Ticks(t), features=None, activity=Activity.IDLE) for t in times]
    assert all(np.isfinite(frame.weights).all() for frame in frames)
    assert np.abs(angles(frames)).max() < 8
