"""The net taken apart says what its graph says."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.features.graph import GraphNet, Net
from avatar_worker.features.matrices import MatrixNet
from avatar_worker.features.weights import contents

FloatArray = npt.NDArray[np.float32]
WEIGHTS = Path(str(files("avatar_worker") / "assets/weights/audio2face-v5.onnx"))
PICTURES = 60


def nets(near: bool) -> tuple[MatrixNet, GraphNet]:
    graph = GraphNet(WEIGHTS)
    graph.ask(near=near)
    return MatrixNet(contents(WEIGHTS), near=near), graph


def frames(voices: int, seed: int = 0) -> FloatArray:
    """Bands that wander as those of speech do, from silence to loud. (B, 8 + 240, 40)."""
    noise = np.random.default_rng(seed)
    loud = noise.uniform(-5.5, 0, (voices, 4 * PICTURES // 10 + 2, 40))
    at = np.arange(8 + 4 * PICTURES) / 10
    low, share = at.astype(int), (at % 1)[:, None]
    wandering = loud[:, low] * (1 - share) + loud[:, low + 1] * share
    return (wandering + noise.normal(0, 0.2, wandering.shape)).astype(np.float32)


def said(net: Net, mel: FloatArray) -> FloatArray:
    """What a net says of each picture. (60, B, 28), and (60, B, 56) of two at a time."""
    memory = np.stack([net.rest(one[:8]) for one in mel])
    answers = []
    for start in range(0, 4 * PICTURES, 4):
        heads, memory = net.step(np.ascontiguousarray(mel[:, start : start + 12]), memory)
        answers.append(heads)
    return np.stack(answers)


def alike(ours: FloatArray, theirs: FloatArray) -> None:
    """Sums in another order are another rounding, which a memory may raise now and then."""
    apart = np.abs(ours - theirs)
    assert np.quantile(apart, 0.999) < 1e-5
    assert apart.max() < 1e-4


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("voices", [1, 2, 9, 64])
def test_every_weight_and_probability_is_that_of_the_graph(near: bool, voices: int) -> None:
    fast, graph = nets(near)
    mel = frames(voices)
    ours, theirs = said(fast, mel), said(graph, mel)
    assert ours.shape == theirs.shape == (PICTURES, voices, 56 if near else 28)
    assert ours.dtype == np.float32
    alike(ours, theirs)
    assert np.ptp(theirs, axis=0).max() > 0.5, "something is said"


def test_the_heads_that_look_less_far_say_something_else() -> None:
    mel = frames(1)
    far, near = said(nets(False)[0], mel), said(nets(True)[0], mel)
    assert np.abs(far - near[..., :28]).max() > 0.05


def test_with_40_ms_the_picture_before_is_told_as_with_80() -> None:
    mel = frames(2)
    far, near = said(nets(False)[0], mel), said(nets(True)[0], mel)
    alike(near[..., 28:], far)


def test_a_voice_in_a_batch_is_heard_as_alone() -> None:
    fast, _ = nets(False)
    mel = frames(5)
    together = said(fast, mel)
    for row in range(5):
        alike(said(fast, mel[row : row + 1])[:, 0], together[:, row])


def test_very_loud_and_very_soft_bands_do_not_break_it() -> None:
    fast, graph = nets(False)
    for level in (-40.0, 40.0):
        mel = np.full((2, 8 + 4 * PICTURES, 40), level, np.float32)
        ours = said(fast, mel)
        assert np.isfinite(ours).all()
        assert np.abs(ours - said(graph, mel)).max() < 1e-4


def test_it_remembers_what_the_first_convolution_said() -> None:
    fast, graph = nets(False)
    one, other = frames(1, seed=1), frames(1, seed=2)
    other[:, 8:] = one[:, 8:]
    # Two voices that differ only in what came before.
    ours = said(fast, one)[0] - said(fast, other)[0]
    theirs = said(graph, one)[0] - said(graph, other)[0]
    assert np.abs(ours).max() > 1e-3
    assert np.abs(ours - theirs).max() < 1e-5


def test_a_part_that_is_missing_or_of_another_shape_is_told() -> None:
    held = contents(WEIGHTS)
    bias = held.arrays.pop("net.mix.bias")
    with pytest.raises(KeyError, match=r"net\.mix\.bias"):
        MatrixNet(held, near=False)
    held.arrays["net.mix.bias"] = bias[:-1]
    with pytest.raises(ValueError, match="a part of the net is"):
        MatrixNet(held, near=False)
