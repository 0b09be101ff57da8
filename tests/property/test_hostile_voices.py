"""Sound that is no sound, beside voices of others: nothing raises, and nothing leaks into their pictures."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings, strategies as st

from avatar_worker.clock import Ticks
from avatar_worker.engine import PictureOrder, Pipeline
from avatar_worker.face import Activity, Cue, Gesture, Mood, Turn
from avatar_worker.face.gestures import GESTURES
from avatar_worker.face.moods import MOODS
from avatar_worker.features import Audio2Face
from avatar_worker.frames import Features
from avatar_worker.render.cpu import CpuRenderer
from fakes.avatars import tiny_avatar
from fakes.sitter import HOP, buzz

FloatArray = npt.NDArray[np.float32]

NAN, INF = np.float32(np.nan), np.float32(np.inf)
HUGE = np.finfo(np.float32).max


@cache
def net() -> Audio2Face:
    return Audio2Face()


def filled(value: float) -> FloatArray:
    return np.full(HOP, value, np.float32)


def spoilt(value: float, at: int) -> FloatArray:
    """A voice with one sample that is none."""
    sound = buzz(1)
    sound[at] = value
    return sound


VALUES = st.sampled_from([NAN, INF, -INF, HUGE, -HUGE, np.float32(1e30), np.float32(1e-40)])
HOSTILE = st.one_of(
    VALUES.map(filled),
    st.builds(spoilt, VALUES, st.integers(0, HOP - 1)),
    VALUES.map(lambda value: np.resize(np.array([value, -value], np.float32), HOP)),
    st.binary(min_size=4 * HOP, max_size=4 * HOP).map(lambda raw: np.frombuffer(raw, np.float32)),
)
ODD_PTS = st.one_of(st.integers(-(2**40), 2**40), st.integers(0, 40).map(lambda n: 1920 * n))
CUES: st.SearchStrategy[Cue] = st.one_of(
    st.sampled_from(Turn),
    st.sampled_from(sorted(GESTURES)).map(Gesture),
    st.builds(Mood, st.sampled_from(sorted(MOODS)), st.floats(0, 1), st.floats(0, 10)),
)


def hear(guest: list[FloatArray], guests_place: int, voices: int) -> list[Features]:
    """What the net says of the others after they were heard beside a guest, without any guard."""
    streams = [net().open() for _ in range(voices + 1)]
    for number, sound in enumerate(guest):
        own = [buzz(12, seed=n)[HOP * number : HOP * (number + 1)] for n in range(voices)]
        own.insert(guests_place, sound)
        said = net().step(list(zip(streams, own, strict=True)))
    del said[guests_place]
    return said


# Sums of what is no number are remarked by NumPy; that it does not raise is what is tested here.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=60, deadline=None)
@given(
    guest=st.lists(HOSTILE, min_size=1, max_size=8),
    voices=st.integers(1, 17),
    place=st.integers(0, 17),
)
def test_the_net_hears_everybody_beside_a_hostile_voice_as_beside_silence_to_the_bit(
    guest: list[FloatArray], voices: int, place: int
) -> None:
    disturbed = hear(guest, min(place, voices), voices)
    alone = hear([filled(0)] * len(guest), min(place, voices), voices)
    for one, other in zip(disturbed, alone, strict=True):
        np.testing.assert_array_equal(one.mouth, other.mouth)
        np.testing.assert_array_equal(one.visemes, other.visemes)
        assert np.isfinite(one.mouth).all()


@settings(max_examples=60, deadline=None)
@given(
    guest=st.lists(
        st.builds(
            PictureOrder,
            pts=ODD_PTS.map(Ticks),
            speaking=st.booleans(),
            analysis=st.lists(HOSTILE, max_size=3).map(
                lambda hops: np.concatenate([np.empty(0, np.float32), *hops])
            ),
            restart=st.booleans(),
            activity=st.sampled_from(Activity),
            cues=st.lists(CUES, max_size=20).map(tuple),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_one_session_orders_it_gets_pictures_and_its_neighbours_get_the_same(
    guest: list[PictureOrder],
) -> None:
    quiet = [
        PictureOrder(pts=Ticks(0), speaking=True, analysis=np.zeros_like(order.analysis))
        for order in guest
    ]
    drawn = []
    for orders in (guest, quiet):
        pipeline, avatar = Pipeline(CpuRenderer(), net()), tiny_avatar()
        slots = [pipeline.open(avatar, seed=seed) for seed in range(3)]
        pictures = []
        for number, order in enumerate(orders):
            speech = buzz(8)[HOP * number : HOP * (number + 1)]
            own = PictureOrder(pts=Ticks(1920 * number), speaking=True, analysis=speech)
            jobs = list(zip(slots, (own, order, own), strict=True))
            for slot, one in jobs:
                slot.accept(one)
            pictures.append([frame.data for frame in pipeline.draw(jobs)])
        drawn.append(pictures)
    for disturbed, alone in zip(*drawn, strict=True):
        np.testing.assert_array_equal(disturbed[0], alone[0])
        np.testing.assert_array_equal(disturbed[2], alone[2])
        assert disturbed[1].any()


def features_after(sounds: list[FloatArray]) -> Features:
    pipeline = Pipeline(CpuRenderer(), net())
    slot = pipeline.open(tiny_avatar(), seed=1)
    for number, sound in enumerate(sounds):
        order = PictureOrder(pts=Ticks(1920 * number), speaking=True, analysis=sound)
        slot.accept(order)
        pipeline.draw([(slot, order)])
    assert slot.features is not None
    return slot.features


@pytest.mark.parametrize(
    ("spoilt", "wanted"), [(NAN, 0.0), (INF, 0.0), (-INF, 0.0), (HUGE, 1.0), (-40.0, -1.0)]
)
def test_a_voice_is_heard_again_as_soon_as_it_is_one(spoilt: float, wanted: float) -> None:
    speech = [buzz(6)[HOP * n : HOP * (n + 1)] for n in range(6)]
    after = features_after([*speech[:2], filled(spoilt), *speech[2:]])
    same = features_after([*speech[:2], filled(wanted), *speech[2:]])
    np.testing.assert_array_equal(after.mouth, same.mouth)
    assert np.isfinite(after.visemes).all()
    assert after.visemes.sum() == pytest.approx(1, abs=1e-5)


def test_sound_within_its_range_is_heard_as_it_is() -> None:
    pipeline = Pipeline(CpuRenderer(), net())
    slot = pipeline.open(tiny_avatar(), seed=1)
    sound = np.concatenate([buzz(1), filled(1.0), filled(-1.0), filled(0.0)])
    slot.accept(PictureOrder(pts=Ticks(0), speaking=True, analysis=sound))
    np.testing.assert_array_equal(np.concatenate(slot.unfed), sound)
    assert all(np.shares_memory(hop, sound) for hop in slot.unfed)
