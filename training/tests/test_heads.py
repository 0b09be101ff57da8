"""The near heads learn on a finished body: the body stays as it was, and they get better."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from training import heads
from training.examples import PICTURES, SAMPLES, Example, write
from training.heads import losses, seen, train, validate
from training.net import Net, Size, load, save
from training.train import Examples

SMALL = Size(channels=8, hidden=16, layers=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Examples that can be learned: loud pictures are aa, quiet ones silence."""
    chance = np.random.default_rng(0)
    made = []
    for _ in range(24):
        loud = np.repeat(chance.integers(0, 2, 26), 10)
        sound = np.repeat(loud[:256], 640) * 6_000 * chance.standard_normal(SAMPLES)
        mouth = np.zeros((PICTURES, 12))
        mouth[:, 0] = 0.6 * loud[:PICTURES]
        units = np.repeat(loud[:PICTURES, None], 4, axis=1)
        made.append(Example(sound.clip(-32_768, 32_767).astype(np.int16), mouth.astype(np.float16), (10 * loud[:PICTURES]).astype(np.int8), units.astype(np.int8)))  # fmt: skip
    write(tmp_path / "examples", "pass-0", made)
    return tmp_path


def net() -> Net:
    torch.manual_seed(0)
    model = Net(SMALL)
    model.eval()
    return model


def test_the_body_is_run_once_over_each_example(folder: Path) -> None:
    made = seen(net(), Examples([folder / "examples"]), 20)
    assert len(made) == 20
    senses, mouth, viseme = made.batch(torch.arange(20))
    assert senses.shape == (20, PICTURES, 2 * SMALL.hidden)
    assert mouth.shape == (20, PICTURES, 12)
    assert viseme.shape == (20, PICTURES)
    assert torch.isfinite(senses).all()


def test_plain_examples_are_heard_as_they_are(folder: Path) -> None:
    made, model = Examples([folder / "examples"]), net()
    one, same = (seen(model, made, 8, plain=True) for _ in range(2))
    other = seen(model, made, 8)
    # The dither is drawn anew each time, and is 65 dB below full scale.
    assert (one.senses - same.senses).abs().mean() < 0.05 * one.senses.abs().mean()
    assert (one.senses - other.senses).abs().mean() > 0.1 * one.senses.abs().mean()


def test_heads_learn_and_the_body_does_not(folder: Path) -> None:
    model = net()
    made = seen(model, Examples([folder / "examples"]), 24, plain=True)
    before, first = copy.deepcopy(model.state_dict()), validate(model, made)
    train(model, made, passes=60)
    last = validate(model, made)
    assert last["viseme_accuracy"] > max(0.6, first["viseme_accuracy"])
    assert last["loss"] < 0.8 * first["loss"]
    for name, weight in model.state_dict().items():
        learned = name.startswith("near.")
        assert torch.equal(weight, before[name]) is not learned, name


def test_near_heads_are_asked_for_the_picture_after(folder: Path) -> None:
    model = net()
    made = seen(model, Examples([folder / "examples"]), 4, plain=True)
    senses, mouth, viseme = made.batch(torch.arange(4))
    parts = losses(model, senses, mouth, viseme)
    mouth[:, 0], viseme[:, 0] = 1.0, 3  # nobody near is asked about the first picture
    changed = losses(model, senses, mouth, viseme)
    assert all(torch.equal(parts[name], changed[name]) for name in parts)
    mouth[:, 1] = 1.0
    assert losses(model, senses, mouth, viseme)["places"] != parts["places"]


def test_the_command_writes_a_net_that_can_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(net(), {"step": 3, "best": 0.5}, str(folder / "a.pt"))
    where = str(folder / "examples")
    arguments = ["heads", str(folder / "a.pt"), where, "--validation", where, "--out", str(folder / "b.pt"), "--passes", "2", "--most", "8"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", arguments)
    heads.main()
    assert "viseme_accuracy" in capsys.readouterr().out
    made, progress = load(str(folder / "b.pt"))
    assert progress == {"step": 3, "best": 0.5}
    assert torch.equal(made.mouth.weight, net().mouth.weight)
