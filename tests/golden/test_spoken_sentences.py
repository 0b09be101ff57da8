"""A spoken sentence moves the lips as people expect: closed on m b p and in silence, open on vowels."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hibari import SAMPLE_RATE, Hibari

from avatar_worker.audio import SpeechDoor
from avatar_worker.clock import Ticks
from avatar_worker.face import Activity, FaceMixer
from avatar_worker.face.controls import seal
from avatar_worker.features import Audio2Face
from avatar_worker.frames import CONTROL_INDEX, VISEME_NAMES

LEAD = 10  # pictures of silence before the sentence


@cache
def spoken(text: str) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Face weights (T, 54) and the strongest viseme of each picture; silence before and after."""
    voice = Hibari()(text, seed=1)
    pcm = np.rint(np.clip(voice, -1, 1) * 32_767).astype("<i2")
    door = SpeechDoor(SAMPLE_RATE, 1)
    heard = np.concatenate([door.push(pcm.tobytes())[1], door.finish()[1]])
    sound = np.concatenate(
        [np.zeros(640 * (LEAD + 1), np.float32), heard, np.zeros(640 * 26, np.float32)]
    )
    net, mixer = Audio2Face(), FaceMixer(seed=1, idle={})
    stream = net.open()
    frames, visemes = [], []
    for start in range(0, len(sound) - 639, 640):
        (features,) = net.step([(stream, sound[start : start + 640])])
        if features.pts < 0:
            continue
        frame = mixer.frame(Ticks(features.pts), features=features, activity=Activity.SPEAKING)
        frames.append(frame.weights)
        visemes.append(VISEME_NAMES[int(features.visemes.argmax())])
    return np.stack(frames), visemes


def sealed(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    return np.array([seal(float(w[CONTROL_INDEX["mouthClose"]])) > 0.9 for w in weights])


def talking(visemes: list[str]) -> slice:
    """From the first to the last picture that is not silence."""
    loud = [i for i, viseme in enumerate(visemes) if viseme != "sil"]
    return slice(loud[0], loud[-1] + 1)


def closings(closed: npt.NDArray[np.bool_]) -> int:
    return int((closed[1:] & ~closed[:-1]).sum())


def share_closed(text: str) -> float:
    """Share of the spoken pictures on which the lips are sealed."""
    weights, visemes = spoken(text)
    part = talking(visemes)
    loud = np.array([viseme != "sil" for viseme in visemes[part]])
    return float(sealed(weights)[part][loud].mean())


@pytest.mark.parametrize(
    "text", ["Mama, papa, Bob, and my big purple map.", "Peter bought my big purple map."]
)
def test_the_lips_close_on_bilabials(text: str) -> None:
    weights, visemes = spoken(text)
    # Neighbouring ones share a closing, and the net misses about one in six.
    assert closings(sealed(weights)[talking(visemes)]) >= 5
    assert share_closed(text) > 0.18


def test_a_sentence_without_bilabials_hardly_closes_them() -> None:
    assert share_closed("She sees a light in the kitchen. It is a nice day, she says.") < 0.03


@pytest.mark.parametrize(
    "text", ["Mama, papa, Bob, and my big purple map.", "Ah, I see. Oh, you know."]
)
def test_before_and_after_the_sentence_the_lips_are_closed(text: str) -> None:
    weights, _ = spoken(text)
    closed = sealed(weights)
    jaw = weights[:, CONTROL_INDEX["jawOpen"]]
    assert closed[: LEAD - 2].all()
    assert closed[-15:].all()
    assert jaw[: LEAD - 2].max() < 0.02
    assert jaw[-15:].max() < 0.02


def test_open_vowels_open_the_mouth_and_round_ones_round_it() -> None:
    weights, visemes = spoken("Ah, I see. Oh, you know.")
    assert weights[:, CONTROL_INDEX["jawOpen"]].max() > 0.4
    by_viseme = {
        name: weights[[v == name for v in visemes]].mean(axis=0) for name in ("aa", "I", "O", "U")
    }
    jaw, funnel = CONTROL_INDEX["jawOpen"], CONTROL_INDEX["mouthFunnel"]
    pucker, stretch = CONTROL_INDEX["mouthPucker"], CONTROL_INDEX["mouthStretchLeft"]
    assert by_viseme["aa"][jaw] > by_viseme["I"][jaw]
    assert by_viseme["O"][funnel] > by_viseme["I"][funnel]
    assert by_viseme["U"][pucker] > by_viseme["aa"][pucker]
    assert by_viseme["I"][stretch] > by_viseme["U"][stretch]


def test_the_lips_move_with_the_voice_not_after_it() -> None:
    weights, _ = spoken("Hello! It is so good to see you today. How are you?")
    voice = Hibari()("Hello! It is so good to see you today. How are you?", seed=1)
    opened = weights[:, CONTROL_INDEX["jawOpen"]] * ~sealed(weights)
    hop = SAMPLE_RATE // 25
    loud = np.sqrt(np.mean(voice[: len(voice) // hop * hop].reshape(-1, hop) ** 2, axis=1))
    padded = np.zeros(len(opened))
    padded[LEAD + 1 : LEAD + 1 + len(loud)] = np.log(loud + 1e-3) - np.log(1e-3)

    def r(lag: int) -> float:
        return float(np.corrcoef(np.roll(opened, -lag)[12:-12], padded[12:-12])[0, 1])

    by_lag = {lag: r(lag) for lag in range(-6, 7)}
    best = max(by_lag, key=lambda lag: by_lag[lag])
    assert abs(best) <= 2, by_lag
    assert by_lag[best] > 0.4
    # Proof that the measure reacts: a mouth shifted by five pictures is found there.
    shifted = {
        lag: float(np.corrcoef(np.roll(opened, 5 - lag)[12:-12], padded[12:-12])[0, 1])
        for lag in range(-6, 10)
    }
    assert max(shifted, key=lambda lag: shifted[lag]) == best + 5
