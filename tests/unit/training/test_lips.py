"""What filmed lips say of the controls: found again where it is known, on clips that were left out."""

from pathlib import Path

import numpy as np
import pytest
from training import lips
from training.lips import CONTROLS, JAW, fitted, opened, pairs, said, shown
from training.sets import Filmed

from avatar_worker.features import Audio2Face, parting
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

CLOSE, PUCKER = MOUTH_NAMES.index("lipClose"), MOUTH_NAMES.index("mouthPucker")
TRUTH = np.array([0.85, 0.4, -0.5, -0.2])


def mouths(count: int = 300, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (count, 12)).astype(np.float32)


def spoken(count: int = 300, bilabial: float = 0.0) -> np.ndarray:
    """Probabilities of aa, and of p, b, m in every tenth picture."""
    said = np.zeros((count, 15), np.float32)
    said[::10, VISEME_NAMES.index("PP")] = bilabial
    said[:, VISEME_NAMES.index("aa")] = 1 - said[:, VISEME_NAMES.index("PP")]
    return said


def film(seed: int, lag: int = 0, name: str = "clip") -> tuple[Filmed, tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """A clip whose lips open by the true weights, so many pictures before the sound says so."""
    one = mouths(seed=seed), spoken()
    gap = 0.1 + 0.02 * opened(*one) @ TRUTH
    return Filmed(f"{name}{seed}", np.zeros(300 * 640, np.float32), np.roll(gap, -lag)), one


def test_known_weights_are_found() -> None:
    found = fitted([pairs(*film(seed)) for seed in range(4)])
    assert found == pytest.approx(TRUTH, abs=0.04)
    assert found[0] == pytest.approx(JAW)


def test_the_scale_of_a_clip_does_not_matter() -> None:
    clips = [film(seed) for seed in range(3)]
    larger = [(Filmed(f.name, f.pcm, 7 * f.gap + 3), one) for f, one in clips]
    assert fitted([pairs(*c) for c in clips]) == pytest.approx(fitted([pairs(*c) for c in larger]))


def test_shut_lips_open_nothing_and_rounded_ones_less() -> None:
    free, shut = opened(mouths(), spoken()), opened(mouths(), spoken(bilabial=1.0))
    assert shut[::10].max() == 0
    later = np.arange(len(free)) % 10 >= 5  # lips part slowly
    assert np.abs(free[later] - shut[later]).max() < 1e-3
    rounded = mouths()
    rounded[:, PUCKER] = 1
    jaw = CONTROLS.index("jawOpen")
    assert (opened(rounded, spoken())[:, jaw] <= free[:, jaw] + 1e-6).all()


def test_films_out_of_step_are_brought_into_step_and_studio_films_are_left() -> None:
    late, one = film(1, lag=2)
    controls, gap = pairs(late, one)
    assert len(controls) == len(gap) == 298
    assert np.corrcoef(controls @ TRUTH, gap)[0, 1] > 0.99
    studio, one = film(1, lag=2, name="grid_")
    assert len(pairs(studio, one)[0]) == 300


def test_weights_open_the_mouth_and_none_leave_it_by_rule() -> None:
    one = mouths(), spoken(bilabial=1.0)
    by_rule, parted = shown(one, None), shown(one, np.array(list(parting.MEASURED.values())))
    assert not np.allclose(by_rule.aperture, parted.aperture)
    assert by_rule.aperture[::10].max() == parted.aperture[::10].max() == 0


def test_a_recording_gives_a_mouth_for_each_picture() -> None:
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, 640 * 12).astype(np.float32)
    controls, probabilities = said(Audio2Face(keep_promises=False), sound)
    assert controls.shape == (12, 12)
    assert probabilities.shape == (12, 15)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_without_films_it_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no evaluation data"):
        lips.main(["--data", str(tmp_path)])
