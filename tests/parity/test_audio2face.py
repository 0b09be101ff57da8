"""Streaming through the net equals running it over the whole recording."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from avatar_worker.features import Audio2Face, MouthStream
from avatar_worker.features.audio2face import LOOK_AHEAD, SHORT_LOOK_AHEAD
from avatar_worker.features.floor import Floor, levels, presence, under
from avatar_worker.features.hearing import MelStream, log_mel_step
from avatar_worker.features.matrices import MatrixNet
from avatar_worker.features.mel import log_mel
from avatar_worker.features.neighbours import guessed, peaks, released, steadied, sureness
from avatar_worker.features.parting import part
from avatar_worker.features.promises import heard, keep, shut
from avatar_worker.features.voices import apart, together
from avatar_worker.features.weights import contents

FloatArray = npt.NDArray[np.float32]

WEIGHTS = Path(str(files("avatar_worker") / "assets/weights/audio2face-v5.onnx"))

# Two seconds of the silence that a voice follows on.
_still = MelStream()
_mel = [log_mel_step([_still], [np.zeros(640, np.float32)])[0] for _ in range(50)]
QUIET = under(np.concatenate(_mel), 12)


def babble(pictures: int, seed: int = 0) -> FloatArray:
    """Something with the rhythm of speech. float32, (640 * pictures,)."""
    noise = np.random.default_rng(seed)
    t = np.arange(640 * pictures) / 16_000
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    buzz = sum(np.sin(k * phase) / k for k in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 3.5 * t), 0, 1) ** 2
    return (0.15 * syllables * buzz + 0.01 * noise.standard_normal(len(t))).astype(np.float32)


def offline(pcm: FloatArray, *, near: bool = False) -> tuple[FloatArray, FloatArray]:
    """Mouths (T, 12) and viseme probabilities (T, 15) of pictures 0, 1, ..., the plain way.

    Picture k sees mel frames 4 k - 6 to 4 k + 5: the newest window that ends within 80 ms. The
    near heads speak at the same step of picture k + 1, which so hears 40 ms beyond itself.
    """
    session = onnxruntime.InferenceSession(str(WEIGHTS), providers=["CPUExecutionProvider"])
    newest = (LOOK_AHEAD // 48 - 25) // 10  # 5
    mel = log_mel(pcm)
    hidden = np.zeros((1, 1, 192), np.float32)
    near_heads, far_heads = ["near_ctrl", "near_vis", "near_voice"], ["ctrl", "vis", "voice"]
    heads = [*near_heads, "vis"] if near else far_heads
    mouths, visemes = [], []
    under = Floor(QUIET)
    before, was_sure, was_shut = np.zeros((1, 12), np.float32), np.zeros(1), np.zeros(1)
    for k in range(len(pcm) // 640 - 1):
        last = 4 * k + newest
        window = mel[np.clip(np.arange(last - 11, last + 1), 0, None)][None]
        mouth, logits, voice, *before_it, hidden = session.run(
            [*heads, "h2"], {"mel": window, "h": hidden}
        )
        powers = np.exp(logits)
        visemes.append(powers[0] / powers.sum())
        sure = sureness(visemes[-1][None])
        for heard_out in before_it:
            powers = np.exp(heard_out)
            sure = guessed(sure, sureness(powers / powers.sum()))
        closing = released(shut(peaks(sure, was_sure)), was_shut)
        under.hear(levels(window)[0])
        moves = presence(levels(window), under.lowest[None]) * heard(voice[:, 0])
        mouths.append(keep(part(steadied(mouth, before)), closing, moves)[0])
        before, was_sure, was_shut = mouth, sure, closing
    return np.stack(mouths), np.stack(visemes)


def hears_no_picture_before_the_first(stream: MouthStream) -> None:
    """Make the floor under a voice new, as the plain way has it."""
    voices = together([stream.kept])
    voices["levels"], voices["lowest"], voices["count"] = QUIET[:, None], -np.inf, 0
    (stream.kept,) = apart(voices)


def starts_as_the_plain_way(stream: MouthStream, pcm: FloatArray, *, near: bool = False) -> None:
    """Let a voice that was fed once repeat its first frame, and begin with an empty memory."""
    hears_no_picture_before_the_first(stream)
    history = log_mel(pcm)[np.clip(np.arange(-6, 2), 0, None)]
    voices = together([stream.kept])
    voices["history"], voices["said"], voices["sure"], voices["shut"] = history, 0, 0, 0
    (stream.kept,) = apart(voices)
    stream.memory = MatrixNet(contents(WEIGHTS), near=near).rest(history)


def test_streaming_equals_offline_as_the_start_is_forgotten() -> None:
    pcm = np.concatenate(
        [np.zeros(640 * 100, np.float32), babble(100), np.zeros(6_400, np.float32)]
    )
    net = Audio2Face()
    stream = net.open()
    told = [net.step([(stream, pcm[:640])])[0]]
    hears_no_picture_before_the_first(stream)
    told += [net.step([(stream, pcm[i : i + 640])])[0] for i in range(640, len(pcm), 640)]
    mouths, visemes = offline(pcm)

    assert told[1].pts == 0
    streamed = np.stack([features.mouth for features in told[1:]])
    assert np.abs(streamed - mouths)[100:].max() < 2e-2
    said = np.stack([features.visemes for features in told[1:]])
    assert np.abs(said - visemes)[100:].max() < 2e-2
    assert mouths[100:200, 0].max() > 0.2, "the recording must open the mouth"


def test_streaming_equals_offline_exactly_from_the_same_start() -> None:
    pcm = babble(100, seed=1)
    net = Audio2Face()
    stream = net.open()
    net.step([(stream, pcm[:640])])
    starts_as_the_plain_way(stream, pcm)
    told = [net.step([(stream, pcm[i : i + 640])])[0] for i in range(640, len(pcm), 640)]
    mouths, visemes = offline(pcm)
    assert np.abs(np.stack([f.mouth for f in told]) - mouths).max() < 5e-4
    assert np.abs(np.stack([f.visemes for f in told]) - visemes).max() < 5e-4


def test_with_40_ms_streaming_equals_offline_too() -> None:
    pcm = babble(100, seed=2)
    net = Audio2Face(look_ahead=SHORT_LOOK_AHEAD)
    stream = net.open()
    net.step([(stream, pcm[:640])])
    starts_as_the_plain_way(stream, pcm, near=True)
    told = [net.step([(stream, pcm[i : i + 640])])[0] for i in range(640, len(pcm), 640)]
    mouths, visemes = offline(pcm, near=True)
    assert told[0].pts == 1_920
    assert np.abs(np.stack([f.mouth for f in told]) - mouths).max() < 5e-4
    assert np.abs(np.stack([f.visemes for f in told]) - visemes).max() < 5e-4


def test_a_batch_says_of_each_voice_what_it_says_alone() -> None:
    net = Audio2Face()
    voices = [babble(25, seed=s) for s in range(5)]
    together = [net.open() for _ in voices]
    alone = [net.open() for _ in voices]
    for i in range(0, 640 * 25, 640):
        batch = net.step([(s, v[i : i + 640]) for s, v in zip(together, voices, strict=True)])
        for stream, pcm, mine in zip(alone, voices, batch, strict=True):
            (single,) = net.step([(stream, pcm[i : i + 640])])
            assert single.pts == mine.pts
            assert np.abs(single.mouth - mine.mouth).max() < 1e-4
            assert np.abs(single.visemes - mine.visemes).max() < 1e-4
