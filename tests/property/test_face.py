"""Whatever the session does, the face stays a face."""

import numpy as np
from hypothesis import given, settings, strategies as st

from avatar_worker.clock import Ticks
from avatar_worker.face import Activity, Cue, FaceMixer, Gesture, Mood, Turn
from avatar_worker.face.gestures import GESTURES
from avatar_worker.face.moods import MOODS
from avatar_worker.frames import (
    CONTROL_INDEX,
    CONTROL_NAMES,
    MOUTH_NAMES,
    VISEME_NAMES,
    Features,
    Tone,
)

MOMENTS = st.lists(
    st.tuples(
        st.integers(1_440, 3_360),  # 30 to 70 ms
        st.sampled_from(list(Activity)),
        st.none() | st.integers(0, 2**16),
        st.none()
        | st.sampled_from(list(Turn))
        | st.builds(Gesture, st.sampled_from(list(GESTURES)))
        | st.builds(Mood, st.sampled_from(list(MOODS)), st.floats(0, 1), st.floats(0, 1)),
    ),
    min_size=1,
    max_size=60,
)
TONES = st.builds(Tone, st.just(0.0) | st.floats(70, 400), st.floats(-90, 0))
Moments = list[tuple[int, Activity, int | None, Cue | None]]
BREATH = CONTROL_INDEX["breath"]


def heard(seed: int) -> Features:
    noise = np.random.default_rng(seed)
    visemes = noise.dirichlet(np.full(len(VISEME_NAMES), 0.2)).astype(np.float32)
    return Features(Ticks(0), noise.uniform(0, 1, len(MOUTH_NAMES)).astype(np.float32), visemes)


@given(
    seed=st.integers(0, 2**31),
    scale=st.floats(0.5, 1.5),
    moments=MOMENTS,
    tones=st.lists(TONES, max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_weights_and_pose_stay_in_range(
    seed: int, scale: float, moments: Moments, tones: list[Tone]
) -> None:
    mixer = FaceMixer(seed=seed, idle={}, mouth_open_scale=scale)
    for tone in tones:
        mixer.hear(tone)
    now = 0
    for step, activity, voice, cue in moments:
        now += step
        features = None if voice is None else heard(voice)
        if cue is not None:
            mixer.express(cue)
        frame = mixer.frame(Ticks(now), features=features, activity=activity)
        assert frame.pts == now
        assert frame.weights.shape == (len(CONTROL_NAMES),)
        assert frame.weights.dtype == np.float32
        assert np.isfinite(frame.weights).all()
        assert -1 <= frame.weights[BREATH] <= 1
        others = np.delete(frame.weights, BREATH)
        assert 0 <= others.min() <= others.max() <= 1
        assert abs(frame.head.yaw) <= 8
        assert abs(frame.head.pitch) <= 6
        assert abs(frame.head.roll) <= 4


@given(seed=st.integers(0, 2**31), moments=MOMENTS)
@settings(max_examples=40, deadline=None)
def test_the_mouth_rests_120_ms_after_the_last_word(seed: int, moments: Moments) -> None:
    mixer = FaceMixer(seed=seed, idle={})
    now, last_word = 0, 0
    for step, activity, voice, cue in moments:
        before, now = now, now + step
        features = None if voice is None else heard(voice)
        if cue is not None:
            mixer.express(cue)
        frame = mixer.frame(Ticks(now), features=features, activity=activity)
        if voice is not None:
            last_word = now
        elif now - last_word >= 5_760 and before > 0:
            assert frame.weights[CONTROL_INDEX["jawOpen"]] == 0
            assert frame.weights[CONTROL_INDEX["mouthClose"]] > 0.3


@given(
    seed=st.integers(0, 2**31),
    voices=st.lists(st.integers(0, 2**16), min_size=1, max_size=40),
    mood=st.sampled_from(list(MOODS)),
)
@settings(max_examples=60, deadline=None)
def test_no_mood_changes_what_closes_the_lips(seed: int, voices: list[int], mood: str) -> None:
    plain, felt = FaceMixer(seed=seed, idle={}), FaceMixer(seed=seed, idle={})
    felt.express(Mood(mood, 1.0, 0.0))
    for i, voice in enumerate(voices):
        said, meant = (
            mixer.frame(Ticks(i * 1_920), features=heard(voice), activity=Activity.SPEAKING)
            for mixer in (plain, felt)
        )
        close = CONTROL_INDEX["mouthClose"]
        assert said.weights[close] == meant.weights[close]
        if said.weights[close] >= 0.3:  # sealed
            for name in ("jawOpen", "mouthFunnel", "mouthUpperUpLeft", "mouthLowerDownRight"):
                assert meant.weights[CONTROL_INDEX[name]] <= said.weights[CONTROL_INDEX[name]]
