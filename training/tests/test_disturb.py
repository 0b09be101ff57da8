"""What is done to batches of sound: nothing that moves a label, and the worker's own front end."""

import numpy as np
import torch
from torch import Tensor
from training import disturb
from training.disturb import disturbed, levelled, log_mel, noises, rooms, tunes
from training.examples import SAMPLES
from training.front import log_mel_batch

from avatar_worker.features import mel

COUNT = 64_000


def voice(batch: int = 6, seed: int = 0) -> Tensor:
    """Noise from second 1 to second 2, silence around it."""
    chance = np.random.default_rng(seed)
    sound = np.zeros((batch, COUNT), np.float32)
    sound[:, 16_000:32_000] = 0.2 * chance.standard_normal((batch, 16_000))
    return torch.from_numpy(sound)


def bank() -> Tensor:
    return torch.randn(3, SAMPLES, generator=torch.Generator().manual_seed(0))


def test_the_front_end_is_the_workers_own() -> None:
    chance = np.random.default_rng(1)
    swell = np.repeat(chance.uniform(0.1, 0.9, 20), 3_200)
    sound = (swell * chance.standard_normal(COUNT)).clip(-1, 1).astype(np.float32)
    heard = log_mel(torch.from_numpy(np.stack([sound, sound * 0.3])), dither=0.0).numpy()
    theirs = log_mel_batch([sound, sound * np.float32(0.3)])
    assert heard.shape == theirs.shape
    # The worker's dither is 65 dB below full scale; where somebody speaks it is not heard.
    assert np.abs(heard - theirs).max() < 0.05
    assert np.abs(heard - theirs).mean() < 0.002


def test_dither_covers_digital_silence() -> None:
    still = log_mel(torch.zeros(2, COUNT))
    assert np.abs(still.mean().item() - log_mel_batch([np.zeros(COUNT, np.float32)]).mean()) < 0.02


def test_levelling_looks_only_back() -> None:
    sound = voice(1)
    louder = sound.clone()
    louder[:, 32_000:] = 0.9
    assert torch.equal(levelled(sound)[:, :32_000], levelled(louder)[:, :32_000])
    assert levelled(sound).abs().max() <= 1.05 * mel.TARGET_PEAK * 0.9 / mel.FIRST_PEAK + 1


def test_disturbing_keeps_length_time_and_range() -> None:
    torch.manual_seed(0)
    sound = voice(24)
    heard = disturbed(sound, bank())
    assert heard.shape == sound.shape
    assert torch.isfinite(heard).all()
    assert heard.abs().max() <= 1
    said, quiet = heard[:, 16_000:32_000].abs().mean(-1), heard[:, 1_000:15_000].abs().mean(-1)
    assert (said > quiet).all()
    first = (heard.abs() > 0.5 * heard.abs().amax(-1, keepdim=True)).int().argmax(-1)
    assert ((first >= 15_990) & (first < 17_000)).all()


def test_every_example_is_disturbed_in_its_own_way() -> None:
    torch.manual_seed(1)
    heard = disturbed(voice(1).repeat(8, 1), bank())
    assert all(not torch.equal(heard[0], other) for other in heard[1:])


def test_digital_silence_stays_silent() -> None:
    torch.manual_seed(2)
    assert disturbed(torch.zeros(8, COUNT), bank()).abs().max() < 1e-3


def test_rooms_begin_with_the_sound_itself_and_die_away() -> None:
    torch.manual_seed(3)
    responses = rooms(voice(16))
    assert (responses[:, 0] == 1).all()
    assert (responses[:, 1:].abs().amax(-1) < 1).all()
    assert responses[:, -100:].abs().max() < 0.05


def test_lines_take_away_what_they_do_not_carry() -> None:
    torch.manual_seed(4)
    gains = disturb.lines(voice(32), 801)  # 10 Hz a bin
    assert (gains[:, 790] < 0.35).all()
    assert (gains[:, 150] > 0.9).all()
    assert (gains[:, 5] < 0.1).sum() not in (0, 32)


def test_noise_is_of_unit_variance_and_of_many_colours() -> None:
    torch.manual_seed(5)
    made = noises(voice(12))
    assert torch.allclose(made.std(-1), torch.ones(12), atol=1e-3)
    low = torch.fft.rfft(made).abs().square()[:, :2_000].sum(-1)
    share = low / torch.fft.rfft(made).abs().square().sum(-1)
    assert share.max() > 3 * share.min()


def test_mu_law_changes_little() -> None:
    sound = voice(2)
    error = (disturb.mu_law(sound) - sound).std() / sound.std()
    assert 0 < error < 0.05


def test_tunes_are_made_by_seed() -> None:
    made = tunes(0, 3)
    assert made.shape == (3, SAMPLES)
    assert torch.equal(made[:2], tunes(0, 2))
    assert not torch.equal(made[:2], tunes(1, 2))
    assert torch.allclose(made.std(-1), torch.ones(3), atol=1e-3)
