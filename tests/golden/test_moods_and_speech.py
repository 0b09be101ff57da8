"""A spoken sentence closes the lips in every mood as it does in none."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hibari import SAMPLE_RATE, Hibari

from avatar_worker.audio import SpeechDoor
from avatar_worker.avatars import Avatar, AvatarLibrary
from avatar_worker.clock import Ticks
from avatar_worker.face import Activity, FaceMixer, Mood
from avatar_worker.face.controls import seal
from avatar_worker.face.moods import MOODS
from avatar_worker.features import Audio2Face
from avatar_worker.features.prosody import ToneStream
from avatar_worker.frames import CONTROL_INDEX, FaceControls, Features, Tone
from avatar_worker.render.shape_weights import OPENING, Driver

TEXT = "Mama, papa, Bob, and my big purple map. Peter bought my big purple map, people say."


@cache
def heard() -> tuple[tuple[Features, tuple[Tone, Tone]], ...]:
    """What the net and the tone stream say about each 40 ms of the sentence."""
    pcm = np.rint(np.clip(Hibari()(TEXT, seed=1), -1, 1) * 32_767).astype("<i2")
    door = SpeechDoor(SAMPLE_RATE, 1)
    sound = np.concatenate([door.push(pcm.tobytes())[1], door.finish()[1]])
    net, tones = Audio2Face(), ToneStream()
    stream = net.open()
    steps = range(0, len(sound) - 639, 640)
    return tuple(
        (net.step([(stream, sound[at : at + 640])])[0], tones.step(sound[at : at + 640]))
        for at in steps
    )


def spoken(mood: str) -> list[FaceControls]:
    mixer = FaceMixer(seed=1, idle={})
    mixer.express(Mood(mood, 1.0, 0.0))
    frames = []
    for i, (features, tones) in enumerate(heard()):
        for tone in tones:
            mixer.hear(tone)
        frames.append(mixer.frame(Ticks(i * 1_920), features=features, activity=Activity.SPEAKING))
    return frames


def sealed(frames: list[FaceControls]) -> npt.NDArray[np.bool_]:
    close = CONTROL_INDEX["mouthClose"]
    return np.array([seal(float(frame.weights[close])) >= 1 for frame in frames])


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return AvatarLibrary([]).open("demo")


@pytest.mark.parametrize("mood", [name for name in MOODS if name != "neutral"])
def test_the_lips_close_at_the_same_pictures(mood: str, avatar: Avatar) -> None:
    plain, felt = spoken("neutral"), spoken(mood)
    assert sealed(plain).sum() > 20
    assert np.array_equal(sealed(plain), sealed(felt))
    driver, shapes = Driver(avatar), avatar.rig.shapes
    opening = [k for k, name in enumerate(shapes) if name.startswith(OPENING)]
    jaw, close = shapes.index("jawOpen"), shapes.index("seal")
    for is_closed, before, after in zip(sealed(plain), plain, felt, strict=True):
        if is_closed:
            said, meant = driver.drive(before).weights, driver.drive(after).weights
            assert not meant[opening].any()
            assert meant[jaw] == pytest.approx(said[jaw])
            assert meant[close] == pytest.approx(meant[jaw]), "the rig undoes what the jaw opens"


def test_a_smile_is_seen_in_speech_and_gives_way_at_the_lips() -> None:
    plain, happy = spoken("neutral"), spoken("happy")
    smile = CONTROL_INDEX["mouthSmileLeft"]
    more = np.array(
        [b.weights[smile] - a.weights[smile] for a, b in zip(plain, happy, strict=True)]
    )
    shut = sealed(plain)
    assert more[~shut].mean() > 0.4
    assert more[shut].max() < more[~shut].max() * 0.75


@pytest.mark.parametrize("mood", MOODS)
def test_vowels_stay_as_open_in_every_mood(mood: str) -> None:
    jaw = CONTROL_INDEX["jawOpen"]
    plain, felt = (np.array([f.weights[jaw] for f in spoken(m)]) for m in ("neutral", mood))
    assert plain.max() > 0.4
    assert felt == pytest.approx(plain, abs=1e-6)
