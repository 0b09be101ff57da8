"""Lips part as far as filmed ones: other openings, the same shapes."""

import numpy as np
import pytest
from training.units import UNITS, aperture

from avatar_worker.features.parting import CHANGES, GAIN, LEAST, MEASURED, WANTED, part
from avatar_worker.frames import MOUTH_NAMES

OPENS = [MOUTH_NAMES.index(name) for name in ("jawOpen", "lowerLipDown", "upperLipUp")]
SHAPES = [i for i in range(len(MOUTH_NAMES)) if i not in OPENS]
CLOSE = MOUTH_NAMES.index("lipClose")
EVERY = np.stack([unit.mouth for unit in UNITS.values()])
NAMES = list(UNITS)


def some(count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (count, 12)).astype(np.float32)


def opening(name: str) -> tuple[float, float]:
    """How far a sound opens by rule, and as it is shown."""
    row = NAMES.index(name)
    return float(aperture(EVERY)[row]), float(aperture(part(EVERY))[row])


def test_only_what_opens_is_changed() -> None:
    assert np.array_equal(part(some())[:, SHAPES], some()[:, SHAPES])
    assert not np.array_equal(part(some())[:, OPENS], some()[:, OPENS])


def test_weights_stay_weights() -> None:
    parted = part(some())
    assert parted.dtype == np.float32
    assert parted.min() >= 0
    assert parted.max() <= 1


def test_a_mouth_at_rest_stays_at_rest() -> None:
    assert part(np.zeros((3, 12), np.float32)).max() == 0


@pytest.mark.parametrize("unit", ["s", "i", "e", "I"])
def test_spread_sounds_open_further_than_by_rule(unit: str) -> None:
    rule, shown = opening(unit)
    assert shown > 1.05 * GAIN * rule


@pytest.mark.parametrize("unit", ["u", "y", "w", "n", "o", "r"])
def test_rounded_sounds_and_raised_tongues_open_less(unit: str) -> None:
    rule, shown = opening(unit)
    assert shown < 0.9 * GAIN * rule


def test_the_widest_vowels_stay_the_widest() -> None:
    shown = dict(zip(NAMES, aperture(part(EVERY)).tolist(), strict=True))
    assert min(shown[v] for v in ("a", "A", "ae")) > max(
        shown[c] for c in ("s", "t", "i", "u", "k")
    )
    for vowel in ("a", "A", "ae"):
        assert 1 <= shown[vowel] / (GAIN * opening(vowel)[0]) < 1.2


def test_no_sound_is_shut_by_it_and_none_is_opened_that_is_shut() -> None:
    before, after = aperture(EVERY), aperture(part(EVERY))
    assert np.array_equal(before > 0.005, after > 0.005)
    assert (after >= min(LEAST, CHANGES[0]) * before - 1e-6).all()


def test_the_scale_has_its_bounds() -> None:
    few = some(500) * 0.5
    few[:, CLOSE] = 0
    scale = part(few)[:, OPENS] / few[:, OPENS]
    assert scale.min() >= GAIN * CHANGES[0] - 1e-4
    assert scale.max() <= GAIN * CHANGES[1] + 1e-4


def test_each_mouth_is_changed_alone() -> None:
    together = part(some(5))
    for row in range(5):
        assert np.allclose(part(some(5)[row : row + 1])[0], together[row], atol=1e-6)


def test_lips_that_are_about_to_close_are_narrower_by_as_much() -> None:
    free = some(100) * 0.5
    free[:, CLOSE] = 0
    for closed in (0.25, 0.5, 1.0):
        near = free.copy()
        near[:, CLOSE] = closed
        assert part(near)[:, OPENS] == pytest.approx((1 - closed) * part(free)[:, OPENS], abs=1e-6)


def test_how_far_lips_narrow_does_not_say_whether_they_are_shut() -> None:
    assert np.array_equal(part(some())[:, CLOSE], some()[:, CLOSE])


def test_rounded_vowels_stay_open() -> None:
    for vowel in ("o", "O", "U", "u"):
        assert opening(vowel)[1] > 0.3 * opening(vowel)[0] > 0.02


def test_what_was_measured_is_of_controls_that_are_there() -> None:
    assert set(MEASURED) <= set(MOUTH_NAMES)
    for name, weight in MEASURED.items():
        assert WANTED[MOUTH_NAMES.index(name)] == pytest.approx(weight)
    assert np.count_nonzero(WANTED) == len(MEASURED)
