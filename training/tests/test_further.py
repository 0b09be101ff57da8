"""A finished net learns more, forgets little, and goes on where it was killed."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from training import further
from training.disturb import log_mel
from training.examples import PICTURES, SAMPLES, Example, write
from training.further import between, forgotten, teach
from training.net import Net, Size, load, save, window
from training.train import Examples, validate

SMALL = Size(channels=8, hidden=16, layers=1)


def examples(folder: Path, viseme: int, seed: int, count: int = 12) -> Examples:
    """Make examples in which loud pictures are of one viseme and quiet ones are silence."""
    chance, made = np.random.default_rng(seed), []
    for _ in range(count):
        loud = np.repeat(chance.integers(0, 2, 26), 10)
        sound = np.repeat(loud[:256], 640) * 6_000 * chance.standard_normal(SAMPLES)
        mouth = np.zeros((PICTURES, 12))
        mouth[:, 0] = 0.6 * loud[:PICTURES]
        units = np.repeat(loud[:PICTURES, None], 4, axis=1)
        made.append(Example(sound.clip(-32_768, 32_767).astype(np.int16), mouth.astype(np.float16), (viseme * loud[:PICTURES]).astype(np.int8), units.astype(np.int8)))  # fmt: skip
    write(folder, "pass-0", made)
    return Examples([folder])


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    model = Net(SMALL)
    model.eval()
    return model


def far(a: Net, b: Net, heard: Examples) -> float:
    """Return how differently two nets name the visemes of examples."""
    mel = window(log_mel(heard.batch(torch.arange(4))[0]), PICTURES)
    with torch.no_grad():
        one, other = (m.eval()(mel)[1].softmax(-1) for m in (a, b))
    return float((one - other).abs().mean())


def test_a_net_that_says_the_same_has_forgotten_nothing(tmp_path: Path) -> None:
    heard, old = examples(tmp_path, 10, 0, 4), net()
    mel = log_mel(heard.batch(torch.arange(4))[0])
    with torch.no_grad():
        same, other = (forgotten(one, old, mel) for one in (copy.deepcopy(old), net(1)))
    assert set(same) == {"places", "closing", "visemes", "voice", "units"}
    assert all(abs(float(same[name])) < 1e-4 for name in ("places", "visemes", "units"))
    assert all(other[name] > same[name] for name in same)


def test_new_speech_is_learned_and_the_old_net_stays(tmp_path: Path) -> None:
    new, known, old = examples(tmp_path / "n", 10, 0), examples(tmp_path / "k", 10, 1), net()
    before = copy.deepcopy(old.state_dict())
    taught = teach(old, new, known, tmp_path, steps=60, keep=0, rate=4e-3)
    assert validate(taught, new)["loss"] < 0.9 * validate(old, new)["loss"]
    for name, weight in old.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_near_heads_are_not_touched(tmp_path: Path) -> None:
    new, known, old = examples(tmp_path / "n", 10, 0, 4), examples(tmp_path / "k", 10, 1, 4), net()
    taught = teach(old, new, known, tmp_path, steps=3, keep=1).state_dict()
    for name, weight in old.state_dict().items():
        kept = name.startswith("near.") or name in ("mean", "spread")
        assert torch.equal(weight, taught[name]) is kept, name


def test_what_counts_more_is_forgotten_less(tmp_path: Path) -> None:
    new, known, old = examples(tmp_path / "n", 5, 0), examples(tmp_path / "k", 10, 1), net()
    moved = []
    for keep in (0.0, 30.0):
        (tmp_path / str(keep)).mkdir()
        torch.manual_seed(0)
        taught = teach(old, new, known, tmp_path / str(keep), steps=40, keep=keep, rate=4e-3)
        moved.append(far(taught, old, known))
    assert moved[1] < 0.5 * moved[0]


def test_a_killed_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, known, old = examples(tmp_path / "n", 10, 0, 4), examples(tmp_path / "k", 10, 1, 4), net()
    first = teach(old, new, known, tmp_path, steps=4, keep=1, new=2, same=2)
    (tmp_path / "last.part").write_bytes(b"cut off")
    assert torch.load(tmp_path / "last.pt")["step"] == 4
    capsys.readouterr()
    again = teach(old, new, known, tmp_path, steps=4, keep=1, new=2, same=2)
    assert capsys.readouterr().out == "", "nothing was left to do"
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    teach(old, new, known, tmp_path, steps=6, keep=1, new=2, same=2)
    assert torch.load(tmp_path / "last.pt")["step"] == 6


def test_weights_between_two_nets_are_between_them() -> None:
    old, new = net(0), net(1)
    for share in (0.0, 0.25, 1.0):
        mixed = between(old, new, share).mouth.weight
        assert torch.allclose(mixed, old.mouth.weight * (1 - share) + share * new.mouth.weight)


def test_the_command_writes_a_net_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples(tmp_path / "n", 10, 0, 2)
    save(net(), {"step": 3}, str(tmp_path / "a.pt"))
    where = str(tmp_path / "n")
    monkeypatch.setattr(sys, "argv", ["further", str(tmp_path / "a.pt"), where, "--known", where, "--out", str(tmp_path / "o"), "--steps", "2", "--share", "0.5"])  # fmt: skip
    further.main()
    assert capsys.readouterr().out.startswith("2: ")
    made, progress = load(str(tmp_path / "o" / "net.pt"))
    assert progress == {"step": 2}
    assert not torch.equal(made.mouth.weight, net().mouth.weight)
