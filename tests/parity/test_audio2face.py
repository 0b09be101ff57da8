"""Streaming through the net equals running it over the whole recording."""

from importlib.resources import files

import numpy as np
import numpy.typing as npt
import onnxruntime

from avatar_worker.features import Audio2Face
from avatar_worker.features.audio2face import LOOK_AHEAD
from avatar_worker.features.mel import log_mel
from avatar_worker.features.parting import part
from avatar_worker.features.promises import keep

FloatArray = npt.NDArray[np.float32]


def babble(pictures: int, seed: int = 0) -> FloatArray:
    """Something with the rhythm of speech. float32, (640 * pictures,)."""
    noise = np.random.default_rng(seed)
    t = np.arange(640 * pictures) / 16_000
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    buzz = sum(np.sin(k * phase) / k for k in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 3.5 * t), 0, 1) ** 2
    return (0.15 * syllables * buzz + 0.01 * noise.standard_normal(len(t))).astype(np.float32)


def offline(pcm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mouths (T, 12) and viseme probabilities (T, 15) of pictures 0, 1, ..., the plain way.

    Picture k sees mel frames 4 k - 6 to 4 k + 5: the newest window that ends within 80 ms.
    """
    session = onnxruntime.InferenceSession(
        str(files("avatar_worker") / "assets/weights/audio2face-v5.onnx"),
        providers=["CPUExecutionProvider"],
    )
    newest = (LOOK_AHEAD // 48 - 25) // 10  # 5
    mel = log_mel(pcm)
    hidden = np.zeros((1, 1, 192), np.float32)
    mouths, visemes = [], []
    for k in range(len(pcm) // 640 - 1):
        last = 4 * k + newest
        window = mel[np.clip(np.arange(last - 11, last + 1), 0, None)]
        mouth, logits, voice, hidden = session.run(
            ["ctrl", "vis", "voice", "h2"], {"mel": window[None], "h": hidden}
        )
        powers = np.exp(logits[0])
        visemes.append(powers / powers.sum())
        mouths.append(keep(part(mouth), visemes[-1][None], voice[:, 0])[0])
    return np.stack(mouths), np.stack(visemes)


def test_streaming_equals_offline_as_the_start_is_forgotten() -> None:
    pcm = np.concatenate(
        [np.zeros(640 * 100, np.float32), babble(100), np.zeros(6_400, np.float32)]
    )
    net = Audio2Face()
    stream = net.open()
    heard = [net.step([(stream, pcm[i : i + 640])])[0] for i in range(0, len(pcm), 640)]
    mouths, visemes = offline(pcm)

    assert heard[1].pts == 0
    streamed = np.stack([features.mouth for features in heard[1:]])
    assert np.abs(streamed - mouths)[100:].max() < 2e-2
    said = np.stack([features.visemes for features in heard[1:]])
    assert np.abs(said - visemes)[100:].max() < 2e-2
    assert mouths[100:200, 0].max() > 0.2, "the recording must open the mouth"


def test_streaming_equals_offline_exactly_from_the_same_start() -> None:
    pcm = babble(100, seed=1)
    net = Audio2Face()
    stream = net.open()
    net.step([(stream, pcm[:640])])
    # The plain way repeats its first frame and starts with an empty memory.
    stream.history = log_mel(pcm)[np.clip(np.arange(-6, 2), 0, None)]
    stream.hidden = np.zeros_like(stream.hidden)
    heard = [net.step([(stream, pcm[i : i + 640])])[0] for i in range(640, len(pcm), 640)]
    mouths, visemes = offline(pcm)
    assert np.abs(np.stack([f.mouth for f in heard]) - mouths).max() < 5e-4
    assert np.abs(np.stack([f.visemes for f in heard]) - visemes).max() < 5e-4


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
