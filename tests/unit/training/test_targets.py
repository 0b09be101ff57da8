"""Targets: what a mouth should do for units whose times are known."""

import numpy as np
import pytest
from training.phones import Segment
from training.targets import loudness, mouths, pictures, visemes
from training.units import UNITS, aperture

from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

JAW, CLOSE, FUNNEL, PUCKER = (
    MOUTH_NAMES.index(n) for n in ("jawOpen", "lipClose", "mouthFunnel", "mouthPucker")
)
AMA = [
    Segment(0.0, 0.3, "sil"),
    Segment(0.3, 0.5, "a"),
    Segment(0.5, 0.58, "m"),
    Segment(0.58, 0.8, "a"),
    Segment(0.8, 1.2, "sil"),
]


def test_pictures_are_40_ms_apart() -> None:
    assert pictures(1.0).tolist() == pytest.approx([k * 0.04 for k in range(25)])
    assert len(pictures(0.039)) == 0


def test_the_mouth_rests_opens_shuts_and_rests() -> None:
    times = np.array([0.1, 0.4, 0.54, 0.69, 1.05])
    rest, open_a, shut, open_b, end = aperture(mouths(AMA, times))
    assert max(rest, shut, end) < 0.05
    assert min(open_a, open_b) > 0.5


def test_closed_lips_are_no_mean_of_their_neighbours() -> None:
    times = np.arange(0.5, 0.575, 0.005)
    assert mouths(AMA, times)[:, CLOSE].min() == pytest.approx(1)


@pytest.mark.parametrize("offset", np.arange(0, 0.04, 0.01))
def test_a_short_closure_is_seen_wherever_the_pictures_fall(offset: float) -> None:
    p = [Segment(0, 0.3, "a"), Segment(0.3, 0.34, "p"), Segment(0.34, 0.7, "a")]
    assert mouths(p, np.arange(15) * 0.04 + offset)[:, CLOSE].max() > 0.9


def test_rounding_comes_before_the_round_sound() -> None:
    su = [Segment(0, 0.2, "sil"), Segment(0.2, 0.35, "s"), Segment(0.35, 0.6, "u")]
    si = [*su[:2], Segment(0.35, 0.6, "i")]
    at = np.array([0.33])
    assert mouths(su, at)[0, PUCKER] > mouths(si, at)[0, PUCKER] + 0.1


def test_weak_sounds_take_the_mouth_of_their_neighbours() -> None:
    def jaw_of_k(vowel: str) -> float:
        segs = [Segment(0, 0.2, vowel), Segment(0.2, 0.26, "k"), Segment(0.26, 0.5, vowel)]
        return float(mouths(segs, np.array([0.23]))[0, JAW])

    assert jaw_of_k("a") > jaw_of_k("i") + 0.15


def test_louder_vowels_open_the_jaw_further() -> None:
    at = np.array([0.4])
    quiet, usual, loud = (mouths(AMA, at, loud=[0, db, 0, 0, 0])[0, JAW] for db in (-8.0, 0.0, 5.0))
    assert quiet < usual < loud


def test_loudness_is_relative_to_the_louder_vowels() -> None:
    noise = np.random.default_rng(0)
    pcm = 0.1 * noise.standard_normal(16_000 * 2).astype(np.float32)
    pcm[4_800:8_000] *= 0.1
    levels = loudness(pcm, AMA)
    assert levels[0] == levels[2] == levels[4] == 0
    assert levels[1] < -10
    assert abs(levels[3]) < 7


def test_slower_units_bend_their_neighbours_farther_and_shut_the_lips_all_the_same() -> None:
    times = pictures(AMA[-1].end)
    plain, slow = mouths(AMA, times), mouths(AMA, times, slower=1.8)
    moves = [np.abs(np.diff(made[:, JAW], 2)).mean() for made in (plain, slow)]
    assert moves[1] < 0.95 * moves[0]
    closing = MOUTH_NAMES.index("lipClose")
    assert np.array_equal(plain[:, closing], slow[:, closing])


def test_targets_are_weights_and_their_type_is_small() -> None:
    chance = np.random.default_rng(3)
    names = list(UNITS)
    borders = np.cumsum(chance.uniform(0.03, 0.2, 60))
    segs = [
        Segment(float(a), float(b), names[int(chance.integers(len(names)))])
        for a, b in zip(borders, borders[1:], strict=False)
    ]
    made = mouths(segs, pictures(borders[-1]))
    assert made.dtype == np.float32
    assert made.min() >= 0
    assert made.max() <= 1


def test_visemes_are_those_that_sound_and_silence_elsewhere() -> None:
    times = np.array([0.1, 0.4, 0.54, 0.7, 1.0, 5.0])
    assert [VISEME_NAMES[v] for v in visemes(AMA, times)] == ["sil", "aa", "PP", "aa", "sil", "sil"]


def test_h_has_the_viseme_of_what_follows() -> None:
    segs = [Segment(0, 0.1, "h"), Segment(0.1, 0.3, "u"), Segment(0.3, 0.4, "h")]
    named = [VISEME_NAMES[v] for v in visemes(segs, np.array([0.05, 0.2, 0.35]))]
    assert named == ["U", "U", "sil"]
