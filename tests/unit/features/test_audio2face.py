"""The contract of the voice-to-face net: what is fed, what comes back, what is refused."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from avatar_worker.clock import Ticks
from avatar_worker.errors import ConfigError
from avatar_worker.features import Audio2Face
from avatar_worker.features.audio2face import SHORT_LOOK_AHEAD
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

SILENCE = np.zeros(640, np.float32)


@pytest.fixture(scope="module")
def net() -> Audio2Face:
    return Audio2Face()


def test_it_looks_80_ms_ahead(net: Audio2Face) -> None:
    assert net.look_ahead == Ticks(3_840)


@pytest.fixture(scope="module")
def sooner() -> Audio2Face:
    return Audio2Face(look_ahead=SHORT_LOOK_AHEAD)


def speech(steps: int) -> list[np.ndarray]:
    """A buzz in the rhythm of speech, 40 ms a step."""
    t = np.arange(steps * 640) / 16_000
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 25))
    sound = 0.15 * buzz * np.clip(np.sin(2 * np.pi * 3.5 * t), 0, 1) ** 2
    return list(sound.astype(np.float32).reshape(steps, 640))


def test_it_can_look_40_ms_ahead_instead(sooner: Audio2Face) -> None:
    assert sooner.look_ahead == Ticks(1_920)
    stream = sooner.open()
    assert [sooner.step([(stream, SILENCE)])[0].pts for _ in range(3)] == [0, 1_920, 3_840]


def test_with_40_ms_the_mouth_of_a_picture_is_much_like_that_with_80(
    net: Audio2Face, sooner: Audio2Face
) -> None:
    late, early = net.open(), sooner.open()
    jaws: dict[int, list[float]] = {}
    for sound in speech(75):
        for one in (net.step([(late, sound)])[0], sooner.step([(early, sound)])[0]):
            jaws.setdefault(one.pts, []).append(float(one.mouth[0]))
    both = np.array([pair for pair in jaws.values() if len(pair) == 2])
    assert len(both) == 74
    assert both.max(axis=0).min() > 0.1
    assert np.corrcoef(both.T)[0, 1] > 0.6


@pytest.mark.parametrize("ticks", [0, 960, 5_760])
def test_another_look_ahead_is_refused_with_those_that_are_known(ticks: int) -> None:
    with pytest.raises(ConfigError, match=rf"can look 80 or 40 ms ahead, not {ticks // 48}"):
        Audio2Face(look_ahead=Ticks(ticks))


def test_after_steady_noise_of_15_db_the_mouth_rests(net: Audio2Face) -> None:
    stream, noise = net.open(), np.random.default_rng(4)
    said = [*speech(50), *[SILENCE] * 30, *speech(25), *[SILENCE] * 20]
    opened = [
        float(net.step([(stream, sound + (0.02 * noise.standard_normal(640)).astype(np.float32))])[0].mouth[0])
        for sound in said
    ]  # fmt: skip
    assert max(opened[85:105]) > 0.05, "it speaks"
    assert max(opened[-10:]) < 0.02, "and rests"


def test_the_second_feed_speaks_of_the_first_picture(net: Audio2Face) -> None:
    stream = net.open()
    pts = [net.step([(stream, SILENCE)])[0].pts for _ in range(4)]
    assert pts == [-1_920, 0, 1_920, 3_840]


def test_features_have_their_shapes_and_ranges(net: Audio2Face) -> None:
    stream = net.open()
    loud = np.random.default_rng(0).uniform(-1, 1, 640).astype(np.float32)
    for _ in range(10):
        (features,) = net.step([(stream, loud)])
        assert features.mouth.shape == (len(MOUTH_NAMES),)
        assert features.visemes.shape == (len(VISEME_NAMES),)
        assert features.mouth.dtype == features.visemes.dtype == np.float32
        assert 0 <= features.mouth.min() <= features.mouth.max() <= 1
        assert features.visemes.sum() == pytest.approx(1, abs=1e-5)


def test_in_silence_the_mouth_rests(net: Audio2Face) -> None:
    stream = net.open()
    heard = [net.step([(stream, SILENCE)])[0] for _ in range(50)]
    assert max(f.mouth[MOUTH_NAMES.index("jawOpen")] for f in heard) < 0.1
    assert all(VISEME_NAMES[f.visemes.argmax()] == "sil" for f in heard)


def test_reset_makes_a_voice_new(net: Audio2Face) -> None:
    stream = net.open()
    noise = np.random.default_rng(1)
    sounds = [noise.uniform(-0.5, 0.5, 640).astype(np.float32) for _ in range(5)]
    first = [net.step([(stream, sound)])[0] for sound in sounds]
    stream.reset()
    again = [net.step([(stream, sound)])[0] for sound in sounds]
    assert [f.pts for f in first] == [f.pts for f in again]
    assert all(np.array_equal(a.mouth, b.mouth) for a, b in zip(first, again, strict=True))


def test_voices_do_not_hear_each_other(net: Audio2Face) -> None:
    loud, still = net.open(), net.open()
    alone = net.open()
    noise = np.random.default_rng(2).uniform(-1, 1, 640).astype(np.float32)
    for _ in range(10):
        _, beside = net.step([(loud, noise), (still, SILENCE)])
        (single,) = net.step([(alone, SILENCE)])
        assert np.abs(beside.mouth - single.mouth).max() < 1e-4


def test_nobody_to_feed_is_no_work(net: Audio2Face) -> None:
    assert net.step([]) == []


def test_a_voice_is_fed_once_in_a_batch(net: Audio2Face) -> None:
    stream = net.open()
    with pytest.raises(ValueError, match="only once"):
        net.step([(stream, SILENCE), (stream, SILENCE)])


@pytest.mark.parametrize(
    "pcm", [np.zeros(639, np.float32), np.zeros(1_280, np.float32), np.zeros(640, np.float64)]
)
def test_a_feed_of_another_size_is_refused(net: Audio2Face, pcm: np.ndarray) -> None:
    stream = net.open()
    with pytest.raises(ValueError, match="640 float32 samples"):
        net.step([(stream, pcm)])
    assert net.step([(stream, SILENCE)])[0].pts == -1_920, "nothing was fed by the refused call"


def test_a_file_that_is_no_net_is_refused(tmp_path: Path) -> None:
    weights = tmp_path / "weights.onnx"
    weights.write_bytes(b"not a net")
    with pytest.raises(ConfigError, match=r"cannot load the voice-to-face net weights\.onnx"):
        Audio2Face(weights)
    with pytest.raises(ConfigError, match="cannot load"):
        Audio2Face(tmp_path / "missing.onnx")


def test_the_weights_can_be_brought_along(tmp_path: Path, net: Audio2Face) -> None:
    packaged = files("avatar_worker") / "assets/weights/audio2face-v5.onnx"
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(packaged.read_bytes())
    mine = Audio2Face(copy)
    (a,), (b,) = mine.step([(mine.open(), SILENCE)]), net.step([(net.open(), SILENCE)])
    assert np.array_equal(a.mouth, b.mouth)


def test_the_nets_own_answer_can_be_had(net: Audio2Face) -> None:
    bare = Audio2Face(keep_promises=False)
    mine, kept = bare.open(), net.open()
    noise = np.random.default_rng(3)
    closing = MOUTH_NAMES.index("lipClose")
    differs = False
    for _ in range(20):
        sound = noise.uniform(-0.5, 0.5, 640).astype(np.float32)
        (a,), (b,) = bare.step([(mine, sound)]), net.step([(kept, sound)])
        assert np.array_equal(a.visemes, b.visemes)
        differs |= bool(a.mouth[closing] != b.mouth[closing])
    assert differs, "the lips shut by what is heard"


def field(number: int, content: bytes | int) -> bytes:
    """One protocol buffer field of less than 128 bytes."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def value_info(name: bytes) -> bytes:
    shape = field(2, field(1, field(1, 1)))
    return field(1, name) + field(2, field(1, field(1, 1) + shape))


def test_another_net_is_refused_with_what_differs(tmp_path: Path) -> None:
    node = field(1, b"x") + field(2, b"y") + field(4, b"Identity")
    graph = field(1, node) + field(2, b"g") + field(11, value_info(b"x"))
    graph += field(12, value_info(b"y"))
    weights = tmp_path / "other.onnx"
    weights.write_bytes(field(1, 8) + field(8, field(2, 13)) + field(7, graph))
    with pytest.raises(
        ConfigError, match=r"other\.onnx is not our voice-to-face net: it has .*'x'"
    ):
        Audio2Face(weights)


def test_a_net_that_is_not_what_its_parts_say_runs_as_its_graph_says(
    tmp_path: Path, net: Audio2Face
) -> None:
    packaged = (files("avatar_worker") / "assets/weights/audio2face-v5.onnx").read_bytes()
    weights = tmp_path / "bent.onnx"
    weights.write_bytes(packaged.replace(b"Relu", b"Tanh"))  # of its nodes, and their names
    bent = Audio2Face(weights)
    mine, theirs = bent.open(), net.open()
    for sound in speech(20):
        (a,), (b,) = bent.step([(mine, sound)]), net.step([(theirs, sound)])
    assert a.pts == b.pts
    assert np.abs(a.visemes - b.visemes).max() > 0.01


def test_the_graph_alone_says_the_same_as_the_net_taken_apart(
    tmp_path: Path, net: Audio2Face
) -> None:
    packaged = (files("avatar_worker") / "assets/weights/audio2face-v5.onnx").read_bytes()
    weights = tmp_path / "whole.onnx"
    # Without their names the parts are not found.
    weights.write_bytes(packaged.replace(b"net.mix.bias", b"net.max.bias"))
    whole = Audio2Face(weights)
    mine, theirs = [whole.open() for _ in range(2)], [net.open() for _ in range(2)]
    for sound in speech(40):
        told = whole.step([(mine[0], sound), (mine[1], SILENCE)])
        for a, b in zip(told, net.step([(theirs[0], sound), (theirs[1], SILENCE)]), strict=True):
            assert np.abs(a.mouth - b.mouth).max() < 1e-4
            assert np.abs(a.visemes - b.visemes).max() < 1e-4


def test_the_packaged_net_is_taken_apart_for_both_look_aheads(
    net: Audio2Face, sooner: Audio2Face
) -> None:
    # Its memory holds what the first convolution said; the graph's holds the recurrent state alone.
    assert [len(one.open().memory) for one in (net, sooner)] == [192 + 4 * 72] * 2


def test_what_a_new_voice_begins_with_cannot_be_changed_by_one_of_them(net: Audio2Face) -> None:
    one, other = net.open(), net.open()
    before = other.kept.copy()
    with pytest.raises(ValueError, match="read-only"):
        one.kept[0] = 1
    net.step([(one, speech(3)[2])])
    assert np.array_equal(other.kept, before)
    assert np.array_equal(net.open().kept, before)
