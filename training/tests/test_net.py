"""What needs torch: run by `make train-test` in the environment of training."""

from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from training.disturb import log_mel
from training.examples import INNER, PICTURES, SAMPLES, UNIT_NAMES, Example, write
from training.export import export
from training.net import Net, Size, load, save, window
from training.train import Examples, loss_of, train, validate, warped

from avatar_worker.errors import ConfigError
from avatar_worker.features import Audio2Face
from avatar_worker.features.audio2face import SHORT_LOOK_AHEAD

SMALL = Size(channels=8, hidden=16, layers=2)


def net(size: Size = SMALL) -> Net:
    torch.manual_seed(0)
    model = Net(size)
    model.eval()
    return model


def examples(folder: Path, count: int = 40, seed: int = 0) -> Examples:
    """Examples that can be learned: loud pictures are aa, quiet ones silence."""
    chance = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        loud = np.repeat(chance.integers(0, 2, 26), 10)
        sound = np.repeat(loud[:256], 640) * 6_000 * chance.standard_normal(SAMPLES)
        mouth = np.zeros((PICTURES, 12))
        mouth[:, 0] = 0.6 * loud[:PICTURES]
        viseme = 10 * loud[:PICTURES]
        units = np.repeat(loud[:PICTURES, None], 4, axis=1)
        made.append(Example(sound.clip(-32_768, 32_767).astype(np.int16), mouth.astype(np.float16), viseme.astype(np.int8), units.astype(np.int8)))  # fmt: skip
    write(folder, "pass-0", made)
    return Examples([folder])


def test_heads_have_their_shapes() -> None:
    mouth, viseme, voice, units = net()(torch.zeros(3, 8 + 4 * 7, 40))
    assert mouth.shape == (3, 7, 12)
    assert viseme.shape == (3, 7, 15)
    assert voice.shape == (3, 7)
    assert units.shape == (3, 7, len(INNER), len(UNIT_NAMES))


def test_near_heads_have_their_shapes_and_need_the_sound_of_40_ms_ahead() -> None:
    model, mel = net(), torch.zeros(1, 200, 40)
    with torch.no_grad():
        before = model.near(model.senses(window(mel, 40), None)[0])
        mel[:, 4 * 20 + 5] = 1.0  # heard at step 20, which speaks of picture 21
        after = model.near(model.senses(window(mel, 40), None)[0])
    assert [head.shape for head in before] == [(1, 40, 12), (1, 40, 15), (1, 40, 1)]
    changed = (before[0] != after[0]).any(-1)[0]
    assert not changed[:20].any()
    assert changed[20]


def test_a_checkpoint_of_a_net_without_near_heads_is_read(tmp_path: Path) -> None:
    save(net(), {}, str(tmp_path / "a.pt"))
    kept = torch.load(tmp_path / "a.pt", weights_only=True)
    kept["weights"] = {k: v for k, v in kept["weights"].items() if not k.startswith("near.")}
    torch.save(kept, tmp_path / "old.pt")
    again, _ = load(str(tmp_path / "old.pt"))
    assert torch.equal(again.mouth.weight, net().mouth.weight)
    del kept["weights"]["mouth.weight"]
    torch.save(kept, tmp_path / "broken.pt")
    with pytest.raises(RuntimeError, match="mouth.weight"):
        load(str(tmp_path / "broken.pt"))


def test_a_picture_hears_80_ms_ahead_and_no_more() -> None:
    model, mel = net(), torch.zeros(1, 200, 40)
    with torch.no_grad():
        before = model(window(mel, 40))[0]
        mel[:, 4 * 20 + 5] = 1.0  # the newest frame that picture 20 may hear
        after = model(window(mel, 40))[0]
    changed = (before != after).any(-1)[0]
    assert not changed[:20].any()
    assert changed[20]


def test_the_exported_step_says_what_the_net_says(tmp_path: Path) -> None:
    model = net()
    export(model, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    mel = torch.randn(3, 100, 40)
    with torch.no_grad():
        cut = window(mel, 20)
        mouth, viseme, voice, _ = model(cut)
    state = np.zeros((2, 3, 16), np.float32)
    for k in range(20):
        said, named, voiced, state = session.run(
            ["ctrl", "vis", "voice", "h2"], {"mel": cut[:, 4 * k : 4 * k + 12].numpy(), "h": state}
        )
        assert np.abs(said - torch.sigmoid(mouth[:, k]).numpy()).max() < 1e-5
        assert np.abs(named - viseme[:, k].numpy()).max() < 1e-4
        assert np.abs(voiced[:, 0] - torch.sigmoid(voice[:, k]).numpy()).max() < 1e-5


def test_the_near_heads_are_exported_too(tmp_path: Path) -> None:
    model, mel = net(), torch.randn(3, 12, 40)
    export(model, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    state = np.zeros((2, 3, 16), np.float32)
    said = session.run(["near_ctrl", "near_vis", "near_voice"], {"mel": mel.numpy(), "h": state})
    with torch.no_grad():
        mouth, viseme, voice = model.near(model.senses(mel, torch.zeros(2, 3, 16))[0][:, 0])
    for ours, theirs in zip((mouth.sigmoid(), viseme, voice.sigmoid()), said, strict=True):
        assert np.abs(ours.numpy() - theirs).max() < 1e-5


def test_the_worker_takes_what_is_exported(tmp_path: Path) -> None:
    export(net(), tmp_path / "net.onnx")
    worker = Audio2Face(tmp_path / "net.onnx")
    stream = worker.open()
    (features,) = worker.step([(stream, np.zeros(640, np.float32))])
    assert features.mouth.shape == (12,)
    near = Audio2Face(tmp_path / "net.onnx", look_ahead=SHORT_LOOK_AHEAD)
    (sooner,) = near.step([(near.open(), np.zeros(640, np.float32))])
    assert sooner.pts == features.pts + SHORT_LOOK_AHEAD


def test_a_net_too_large_to_ship_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at most 2000000 ship"):
        export(net(Size(channels=128, hidden=320, layers=2)), tmp_path / "net.onnx")


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = net()
    save(model, {"step": 7, "best": 1.5}, str(tmp_path / "a.pt"))
    again, progress = load(str(tmp_path / "a.pt"))
    assert progress == {"step": 7, "best": 1.5}
    for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_training_learns_and_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    made, model = examples(tmp_path / "e"), net()
    model.normalise(log_mel(made.batch(torch.arange(8))[0]))
    before = validate(model, made)
    train(model, made, made, tmp_path, steps=60, done=0, best=9e9, size=8)
    after = validate(model, made)
    assert after["loss"] < 0.9 * before["loss"]
    assert after["viseme_accuracy"] >= before["viseme_accuracy"]
    mean, _ = load(str(tmp_path / "best.pt"))
    assert 0 < (mean.mouth.weight - model.mouth.weight).abs().max() < 0.5
    again, progress = load(str(tmp_path / "last.pt"))
    assert progress["step"] == 60
    train(again, made, made, tmp_path, steps=64, done=60, best=float(str(progress["best"])), size=8)
    assert load(str(tmp_path / "last.pt"))[1]["step"] == 64
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_disturbing_mel_keeps_its_shape_and_changes_it() -> None:
    mel = torch.randn(4, 100, 40) - 3
    heard = warped(mel.clone())
    assert heard.shape == mel.shape
    assert torch.isfinite(heard).all()
    assert (heard != mel).any()


def test_every_part_of_the_loss_counts(tmp_path: Path) -> None:
    made, model = examples(tmp_path, 4), net()
    sound, *labels = made.batch(torch.arange(4))
    parts = loss_of(model, log_mel(sound), *labels)
    assert set(parts) == {"places", "moves", "closing", "visemes", "voice", "units"}
    assert all(part.item() > 0 for part in parts.values())


def test_folders_without_examples_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"no examples with mouth, sound, units, viseme in {tmp_path}"):  # fmt: skip
        Examples([tmp_path])


def test_examples_that_hold_no_sound_are_refused(tmp_path: Path) -> None:
    none = np.zeros((1, 2))
    np.savez(tmp_path / "old.npz", mel=none, mouth=none, viseme=none, units=none)
    with pytest.raises(ConfigError, match="no examples with sound in"):
        Examples([tmp_path])
