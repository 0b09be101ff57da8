"""The mouth follows the voice at once, closes hard, and comes to rest with closed lips."""

import numpy as np
import pytest

from avatar_worker.clock import Ticks
from avatar_worker.face.controls import seal, spell
from avatar_worker.face.mouth import Mouth
from avatar_worker.frames import (
    CONTROL_INDEX,
    CONTROL_NAMES,
    MOUTH_NAMES,
    VISEME_NAMES,
    Features,
)


def saying(viseme: str = "aa", **mouth: float) -> Features:
    weights = np.zeros(len(MOUTH_NAMES), np.float32)
    for name, value in mouth.items():
        weights[MOUTH_NAMES.index(name)] = value
    visemes = np.zeros(len(VISEME_NAMES), np.float32)
    visemes[VISEME_NAMES.index(viseme)] = 1
    return Features(Ticks(0), weights, visemes)


def of(weights: np.ndarray, name: str) -> float:
    return float(weights[CONTROL_INDEX[name]])


def follow(mouth: Mouth, moments: list[Features | None], dt: float = 0.04) -> list[np.ndarray]:
    return [
        mouth.step(i * dt, (i + 1) * dt, features, smile=0.05, press=0.0)
        for i, features in enumerate(moments)
    ]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("jawOpen", ["jawOpen"]),
        ("lipClose", ["mouthClose"]),
        ("mouthPucker", ["mouthPucker"]),
        ("mouthStretch", ["mouthStretchLeft", "mouthStretchRight"]),
        ("lowerLipDown", ["mouthLowerDownLeft", "mouthLowerDownRight"]),
        ("upperLipUp", ["mouthUpperUpLeft", "mouthUpperUpRight"]),
        ("rollLower", ["mouthRollLower"]),
        ("tongueUp", ["tongueUp"]),
        ("tongueOut", ["tongueOut"]),
    ],
)
def test_each_control_of_the_net_has_its_arkit_words(said: str, shown: list[str]) -> None:
    weights = spell(saying(**{said: 0.5}))
    moved = [name for name in CONTROL_NAMES if of(weights, name) > 0]
    assert moved == sorted(shown, key=CONTROL_NAMES.index)
    assert weights.dtype == np.float32


def test_every_control_of_the_net_reaches_the_face() -> None:
    for name in MOUTH_NAMES:
        assert spell(saying(**{name: 0.5})).max() > 0, name


def test_spelling_leaves_the_features_alone() -> None:
    features = saying("sil", jawOpen=0.5)
    spell(features, open_scale=0.5)
    assert features.mouth[MOUTH_NAMES.index("jawOpen")] == 0.5


def test_the_size_of_the_mouth_scales_what_parts_the_lips_and_never_the_closing() -> None:
    features = saying(jawOpen=0.4, lipClose=0.8, mouthPress=0.5, lowerLipDown=0.3)
    small, usual = spell(features, open_scale=0.5), spell(features)
    assert of(small, "jawOpen") == pytest.approx(of(usual, "jawOpen") / 2)
    assert of(small, "mouthLowerDownLeft") == pytest.approx(0.15)
    assert of(small, "mouthClose") == of(usual, "mouthClose")
    assert of(small, "mouthPressLeft") == of(usual, "mouthPressLeft")


def test_a_partial_closing_seals_the_lips() -> None:
    assert seal(0.05) == 0
    assert 0 < seal(0.2) < 1
    assert seal(0.30) == 1


def test_in_silence_the_lips_are_closed_whatever_the_net_leaves_open() -> None:
    weights = spell(saying("sil", jawOpen=0.1, lowerLipDown=0.1))
    assert seal(of(weights, "mouthClose")) == 1
    assert of(weights, "jawOpen") == 0


def test_speech_is_followed_from_its_first_picture() -> None:
    open_mouth = saying(jawOpen=0.6)
    shown = follow(Mouth(np.random.default_rng(0), open_scale=1), [None, None, open_mouth])
    assert of(shown[1], "jawOpen") == 0
    assert of(shown[2], "jawOpen") == pytest.approx(0.6)
    assert of(shown[2], "mouthClose") == 0


@pytest.mark.parametrize("dt", [0.04, 0.07])
def test_after_the_last_word_the_mouth_is_at_rest_within_three_pictures(dt: float) -> None:
    open_mouth = saying(jawOpen=0.6, mouthFunnel=0.5)
    shown = follow(Mouth(np.random.default_rng(0), open_scale=1), [open_mouth] + [None] * 6, dt)
    jaw = [of(weights, "jawOpen") for weights in shown]
    assert jaw == sorted(jaw, reverse=True)
    assert jaw[3] == 0
    assert of(shown[3], "mouthFunnel") == 0
    assert seal(of(shown[3], "mouthClose")) == 1


def test_the_way_to_rest_is_gentle() -> None:
    shown = follow(
        Mouth(np.random.default_rng(0), open_scale=1), [saying(jawOpen=0.6)] + [None] * 3
    )
    jaw = np.array([of(weights, "jawOpen") for weights in shown])
    assert (np.diff(jaw) < 0).all()
    assert np.abs(np.diff(jaw)).max() < 0.6 * 0.6


def test_speech_that_comes_back_is_followed_at_once() -> None:
    moments: list[Features | None] = [saying(jawOpen=0.6), None, saying(jawOpen=0.5)]
    shown = follow(Mouth(np.random.default_rng(0), open_scale=1), moments)
    assert of(shown[2], "jawOpen") == pytest.approx(0.5)


def test_a_smile_does_not_pull_sealed_lips_apart() -> None:
    shown = follow(Mouth(np.random.default_rng(0), open_scale=1), [saying("PP", lipClose=1)])
    assert of(shown[0], "mouthSmileLeft") == 0


def test_at_rest_lips_touch_but_are_never_quite_the_same() -> None:
    shown = np.stack(follow(Mouth(np.random.default_rng(1), open_scale=1), [None] * 7_500))
    closed = shown[:, CONTROL_INDEX["mouthClose"]]
    assert all(seal(value) == 1 for value in closed)
    assert shown[:, CONTROL_INDEX["jawOpen"]].max() == 0
    assert closed.std() > 0.01
    assert shown[:, CONTROL_INDEX["mouthSmileLeft"]].std() > 0.003
    smiles = shown[:, [CONTROL_INDEX["mouthSmileLeft"], CONTROL_INDEX["mouthSmileRight"]]]
    assert (smiles[:, 0] != smiles[:, 1]).all()


def test_people_swallow_now_and_then() -> None:
    shown = np.stack(follow(Mouth(np.random.default_rng(2), open_scale=1), [None] * 15_000))
    pressed = shown[:, CONTROL_INDEX["mouthPressLeft"]] > 0.2
    swallows = np.flatnonzero(pressed[1:] & ~pressed[:-1]) * 0.04
    assert 6 <= len(swallows) <= 15
    assert np.diff(swallows).min() >= 39
    assert np.diff(swallows).max() <= 91
