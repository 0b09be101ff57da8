"""What is shown in one loop is what the plain steps show, one after the other."""

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.features.floor import NOWHERE, Floor, levels, presence
from avatar_worker.features.neighbours import guessed, peaks, released, steadied, sureness
from avatar_worker.features.parting import part
from avatar_worker.features.promises import heard, keep, shut
from avatar_worker.features.showing import shown
from avatar_worker.features.voices import VOICE
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

FloatArray = npt.NDArray[np.float32]
VOICES, PICTURES = 4, 240
LIPS = 12 + VISEME_NAMES.index("PP")
CLOSE = MOUTH_NAMES.index("lipClose")


def new() -> np.ndarray:
    voices = np.zeros(VOICES, VOICE)
    voices["levels"], voices["lowest"] = -4, NOWHERE
    return voices


def sounds(seed: int) -> FloatArray:
    """Bands with pauses in which nothing but steady noise is heard. (T, B, 12, 40)."""
    noise = np.random.default_rng(seed)
    made = noise.normal(-4, 0.05, (PICTURES, VOICES, 12, 40))
    speaks = np.sin(np.arange(PICTURES) / 12)[:, None] + noise.uniform(-0.5, 0.5, VOICES) > 0
    made[speaks] += noise.uniform(0, 3, (int(speaks.sum()), 1, 40))
    return made.astype(np.float32)


def answers(seed: int) -> FloatArray:
    """Weights, probabilities that sum to 1, and voices that come and go. (T, B, 28)."""
    noise = np.random.default_rng(seed)
    mouths = noise.uniform(0, 1, (PICTURES, VOICES, 12))
    powers = np.exp(noise.normal(0, 2, (PICTURES, VOICES, 15)))
    voice = noise.uniform(0, 0.12, (PICTURES, VOICES, 1))
    said = [mouths, powers / powers.sum(axis=2, keepdims=True), voice]
    return np.concatenate(said, axis=2).astype(np.float32)


def plainly(mel: FloatArray, heads: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mouths (T, B, 12) and how freely each moves (T, B), step by step."""
    floors = [Floor(np.full(5, -4, np.float32)) for _ in range(VOICES)]
    before = np.zeros((VOICES, 12), np.float32)
    was_sure = was_shut = np.zeros(VOICES, np.float32)
    made, moved = [], []
    for sound, said in zip(mel, heads, strict=True):
        now = levels(sound)
        for floor, loud in zip(floors, now, strict=True):
            floor.hear(loud)
        sure = sureness(said[:, 12:27])
        if said.shape[1] > 28:
            sure = guessed(sure, sureness(said[:, 40:55]))
        closing = released(shut(peaks(sure, was_sure)), was_shut)
        moves = presence(now, np.stack([floor.lowest for floor in floors])) * heard(said[:, 27])
        made.append(keep(part(steadied(said[:, :12], before)), closing, moves))
        moved.append(moves)
        before, was_sure, was_shut = said[:, :12], sure, closing
    return np.stack(made), np.stack(moved)


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_every_mouth_is_the_same(seed: int, pictures: int) -> None:
    mel, heads = sounds(seed), np.concatenate([answers(seed + n) for n in range(pictures)], axis=2)
    voices = new()
    ours = np.stack([shown(voices, *one) for one in zip(mel, heads, strict=True)])
    theirs, moves = plainly(mel, heads)
    assert ours.dtype == np.float32
    assert ours.min() >= 0
    assert ours.max() <= 1
    # What lies on an edge of the floor may fall to either side of it by rounding.
    assert np.quantile(np.abs(ours - theirs), 0.9999) < 1e-5
    assert np.abs(ours - theirs).max() < 1e-4
    assert (moves == 0).mean() > 0.1, "some rest"
    assert (moves == 1).mean() > 0.05, "and some move freely"


def test_a_floor_is_found_and_lost_as_by_the_plain_way() -> None:
    mel, heads = sounds(7), answers(7)
    voices, plain = new(), [Floor(np.full(5, -4, np.float32)) for _ in range(VOICES)]
    known = []
    for sound, said in zip(mel, heads, strict=True):
        shown(voices, sound, said)
        for row, now in enumerate(levels(sound)):
            plain[row].hear(now)
            assert np.allclose(voices["lowest"][row], plain[row].lowest, atol=1e-5)
            known.append(bool(np.isfinite(plain[row].lowest).all()))
    assert 0.05 < np.mean(known) < 0.99


def test_a_sure_closing_shuts_the_lips_and_lingers_a_little() -> None:
    voices, heads = new(), answers(1)[:3]
    heads[..., 12:27], heads[..., 27] = 0, 1
    heads[1, :, LIPS] = 0.9
    mel = np.full((VOICES, 12, 40), -1, np.float32)
    closing = [float(shown(voices, mel, one)[0, CLOSE]) for one in heads]
    theirs = plainly(np.stack([mel] * 3), heads)[0][:, 0, CLOSE]
    assert closing == pytest.approx(theirs.tolist(), abs=1e-6)
    assert closing[0] == 0
    assert closing[1] > 0.8
    assert 0 < closing[2] < 0.3


def test_what_is_given_stays_as_it_is() -> None:
    mel, heads = sounds(2)[0], answers(2)[0]
    kept = mel.copy(), heads.copy()
    shown(new(), mel, heads)
    assert np.array_equal(mel, kept[0])
    assert np.array_equal(heads, kept[1])
