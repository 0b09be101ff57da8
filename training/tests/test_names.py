"""Viseme heads learn other names on a finished net: nothing else of it changes, bit by bit."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from training import names
from training.examples import PICTURES, SAMPLES, Example, write
from training.heads import seen
from training.names import looked_at, taught, teach
from training.net import Net, Size, load, save
from training.train import Examples

SMALL = Size(channels=8, hidden=16, layers=1)


def examples(folder: Path, viseme: int, count: int = 28) -> Path:
    """Write examples in which loud pictures have one name and quiet ones are silence."""
    chance = np.random.default_rng(viseme)
    made = []
    for _ in range(count):
        loud = np.repeat(chance.integers(0, 2, 26), 10)
        sound = np.repeat(loud[:256], 640) * 6_000 * chance.standard_normal(SAMPLES)
        mouth, units = np.zeros((PICTURES, 12)), np.zeros((PICTURES, 4))
        made.append(Example(sound.clip(-32_768, 32_767).astype(np.int16), mouth.astype(np.float16), (viseme * loud[:PICTURES]).astype(np.int8), units.astype(np.int8)))  # fmt: skip
    write(folder, "pass-0", made)
    return folder


def net() -> Net:
    torch.manual_seed(0)
    model = Net(SMALL)
    model.eval()
    return model


def test_heads_look_at_what_the_net_looks_at(tmp_path: Path) -> None:
    model = net()
    made = seen(model, Examples([examples(tmp_path, 10, 6)]), 6, plain=True)
    far, near = looked_at(model, made)
    with torch.no_grad():
        assert torch.allclose(far.float(), model.mixed(made.senses.float()), atol=2e-3)
        assert torch.allclose(
            model.near.viseme(near.float()), model.near(made.senses.float())[1], atol=2e-3
        )


def test_a_head_learns_and_is_measured_on_examples_that_it_did_not_learn(tmp_path: Path) -> None:
    model = net()
    made = seen(model, Examples([examples(tmp_path, 10)]), 28, plain=True)
    far, _ = looked_at(model, made)
    assert taught(model.viseme, far, made.viseme, steps=60) > 0.9
    wrong = made.viseme.clone()
    wrong[:: names.HELD] = torch.where(wrong[:: names.HELD] > 0, 3, 0)  # held ones are called else
    assert taught(model.viseme, far, wrong, steps=1) < 0.1


def test_both_heads_take_new_names_and_nothing_else_changes(tmp_path: Path) -> None:
    model = net()
    before = copy.deepcopy(model.state_dict())
    made = seen(model, Examples([examples(tmp_path, 4)]), 28, plain=True)
    assert min(teach(model, made, steps=500).values()) > 0.9
    for name, weight in model.state_dict().items():
        learned = name.split(".")[-2:][0] == "viseme"
        assert torch.equal(weight, before[name]) is not learned, name


def test_the_command_writes_a_net_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(net(), {"step": 3, "best": 0.5}, str(tmp_path / "a.pt"))
    folders = [str(examples(tmp_path / name, viseme, 16)) for name, viseme in (("c", 2), ("d", 5))]
    arguments = ["names", str(tmp_path / "a.pt"), *folders, "--out", str(tmp_path / "b.pt"), "--most", "14", "--steps", "3"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", arguments)
    names.main()
    assert "near_viseme_accuracy" in capsys.readouterr().out
    made, progress = load(str(tmp_path / "b.pt"))
    assert progress == {"step": 3, "best": 0.5}
    assert torch.equal(made.mouth.weight, net().mouth.weight)
    assert not torch.equal(made.viseme.weight, net().viseme.weight)
