"""What happens to voices on their way to the net, for a whole batch at once, on a GPU if there is one.

A microphone, a room, a line, noise with swell and hum, music, level: each example gets its own,
new at every pass. Then the worker's own front end, in torch. `training.augment` does what must be
done before the examples are laid out: other tempo and pitch, pauses, breaths.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar_worker.features import mel
from avatar_worker.frames import ANALYSIS_RATE

from .noises import music

_TAIL: Final = 8_192  # samples of a room that may ring on after the end
_EARLY: Final = 640
TUNES: Final = 32
TUNE_S: Final = 10.24


@cache
def tunes(seed: int, count: int = TUNES) -> Tensor:
    """Return pieces of music, made by seed, of unit variance. float32, (count, 163840)."""
    chance = np.random.default_rng([seed, 78])
    size = int(TUNE_S * ANALYSIS_RATE)
    made = np.stack([music(TUNE_S, chance)[:size] for _ in range(count)])
    return torch.from_numpy(made / made.std(axis=1, keepdims=True))


def _uniform(like: Tensor, low: float, high: float, *shape: int) -> Tensor:
    """Draw numbers for each example. (B, *shape)."""
    drawn = torch.rand(len(like), *shape, device=like.device)
    return low + (high - low) * drawn


def _often(like: Tensor, share: float) -> Tensor:
    """Choose examples. bool, (B, 1)."""
    return torch.rand(len(like), 1, device=like.device) < share


def _curve(points: Tensor, size: int) -> Tensor:
    """Draw straight lines through points. (B, n) to (B, size)."""
    return functional.interpolate(points[:, None], size=size, mode="linear", align_corners=True)[:, 0]  # fmt: skip


def microphone(sound: Tensor, bins: int) -> Tensor:
    """Return gains of eight bands within 8 dB and a slope. (B, bins)."""
    bands = _curve(_uniform(sound, -8, 8, 8), 257)
    place = torch.linspace(0, 1, bins, device=sound.device)
    # The bands are narrower at low frequencies, as the square root of frequency goes.
    at = (place.sqrt() * 256).clamp(max=255.99)
    low, share = at.long(), at - at.floor()
    wave = bands[:, low] * (1 - share) + bands[:, low + 1] * share
    return 10 ** ((wave + place * _uniform(sound, -10, 6, 1)) / 20)


def rooms(sound: Tensor) -> Tensor:
    """Return impulse responses: the sound itself, early echoes, a tail. (B, 8192)."""
    t = torch.arange(_TAIL, device=sound.device)
    decay = _uniform(sound, 0.1, 0.5, 1) * ANALYSIS_RATE
    tail = torch.randn(len(sound), _TAIL, device=sound.device) * torch.exp(-6.9 * t / decay)
    tail = torch.where(t < _uniform(sound, 0.002, 0.02, 1) * ANALYSIS_RATE, 0.0, tail)
    loud = 10 ** (-_uniform(sound, 5, 20, 1) / 20)
    tail = tail * loud / tail.square().sum(-1, keepdim=True).sqrt()
    tail = (tail + tail.roll(1, -1)) / 2
    where = (_uniform(sound, 40, _EARLY, 5)).long()
    tail = tail.scatter_add(-1, where, _uniform(sound, -0.25, 0.25, 5))
    tail[:, 0] = 1.0
    return tail


def lines(sound: Tensor, bins: int) -> Tensor:
    """Return gains of a telephone for half of the examples, of a low bit rate for the rest. (B, bins)."""
    hz = torch.linspace(1, ANALYSIS_RATE / 2, bins, device=sound.device)
    telephone = _often(sound, 0.33)
    low = torch.where(telephone, _uniform(sound, 200, 400, 1), torch.ones((), device=hz.device))
    high = torch.where(telephone, _uniform(sound, 3_200, 3_600, 1), _uniform(sound, 3_600, 6_500, 1))  # fmt: skip
    return 1 / torch.sqrt((1 + (low / hz) ** 8) * (1 + (hz / high) ** 12))


def mu_law(sound: Tensor) -> Tensor:
    """Keep eight bits of each sample."""
    loud = sound.abs().amax(-1, keepdim=True).clamp(min=1e-4)
    law = torch.log1p(255 * sound.abs() / loud) / math.log(256)
    return sound.sign() * (256 ** (torch.round(law * 127) / 127) - 1) / 255 * loud


def noises(sound: Tensor) -> Tensor:
    """Return noise as rooms have it: coloured, sometimes swelling or humming, of unit variance."""
    count = sound.shape[-1]
    bins = count // 2 + 1
    white = torch.randn(len(sound), bins, dtype=torch.complex64, device=sound.device)
    hz = torch.arange(1, bins + 1, device=sound.device)
    colour = torch.randint(0, 4, (len(sound), 1), device=sound.device) * 0.5
    made = torch.fft.irfft(white * hz**-colour * microphone(sound, bins), count)
    made = made / made.std(-1, keepdim=True)
    swell = 10 ** (_curve(_uniform(sound, -8, 4, 12), count) / 20)
    made = torch.where(_often(sound, 0.4), made * swell, made)
    t = torch.arange(count, device=sound.device) / ANALYSIS_RATE
    base = torch.tensor([50.0, 60.0, 100.0, 120.0], device=sound.device)
    hum = base[torch.randint(0, 4, (len(sound), 1), device=sound.device)]
    hums = _often(sound, 0.25)
    for k in range(1, 7):
        wave = torch.sin(2 * math.pi * hum * k * t + _uniform(sound, 0, 6, 1))
        made = made + hums * _uniform(sound, 0, 1.2, 1) * wave
    return made / (made.std(-1, keepdim=True) + 1e-9)


def speech_levels(sound: Tensor) -> Tensor:
    """Return the root mean square of what is not silence. (B, 1)."""
    loud = sound.abs() > 0.05 * sound.abs().amax(-1, keepdim=True)
    power = (sound.square() * loud).sum(-1, keepdim=True) / loud.sum(-1, keepdim=True).clamp(min=1)
    return power.sqrt()


def disturbed(sound: Tensor, music_bank: Tensor) -> Tensor:
    """Do some of all this to each example.

    Args:
        sound: In [-1, 1]. float32, (B, n).
        music_bank: As `tunes` makes them, at least n samples long.

    Returns:
        The same shape, peaks at most 1.
    """
    count = sound.shape[-1]
    size = count + _TAIL
    bins = size // 2 + 1
    gains = torch.where(_often(sound, 0.55), microphone(sound, bins), 1.0)
    sent = _often(sound, 0.12)
    gains = torch.where(sent, gains * lines(sound, bins), gains)
    spectrum = torch.fft.rfft(sound, size) * gains
    response = torch.fft.rfft(rooms(sound), size)
    spectrum = torch.where(_often(sound, 0.25), spectrum * response, spectrum)
    heard = torch.fft.irfft(spectrum, size)[:, :count]
    heard = torch.where(sent & _often(sound, 0.33), mu_law(heard), heard)
    heard = heard / heard.abs().amax(-1, keepdim=True).clamp(min=1e-4)
    # What was nearly silent stays so, or the noise in it would be speech.
    peak = sound.abs().amax(-1, keepdim=True)
    heard = heard * torch.where(peak < 0.02, peak, 1.0)
    level = speech_levels(heard)
    quieter = 10 ** (-_uniform(sound, 12, 50, 1) / 20)
    heard = heard + _often(sound, 0.5) * level * quieter * noises(sound)
    tune = music_bank[torch.randint(0, len(music_bank), (len(sound),), device=sound.device), :count]
    quieter = 10 ** (-_uniform(sound, 8, 30, 1) / 20)
    heard = heard + _often(sound, 0.08) * level * quieter * tune
    heard = heard / heard.abs().amax(-1, keepdim=True).clamp(min=1.0)
    return heard * 10 ** (-_uniform(sound, 0, 24, 1) / 20)


def levelled(sound: Tensor) -> Tensor:
    """Bring every voice to the same level, looking only back: the worker's `MelStream.follow`.

    Args:
        sound: A whole number of hops of 160 samples. (B, n).
    """
    hops = sound.unflatten(-1, (-1, mel.HOP))
    loudest = hops.abs().amax(-1).clamp(min=mel.LEAST_PEAK).double()
    age = torch.arange(loudest.shape[-1], device=sound.device) * -math.log(mel.PEAK_DECAY)
    first = torch.full_like(loudest[:, :1], mel.FIRST_PEAK).log() + math.log(mel.PEAK_DECAY)
    # A peak that decays is a running maximum once the decay is taken out.
    grown = torch.maximum(loudest.log() + age, first).cummax(-1).values
    gain = (mel.TARGET_PEAK / (grown - age).exp()).float()
    before = torch.cat([gain[:, :1], gain[:, :-1]], -1)
    ramp = torch.arange(mel.HOP, device=sound.device) / mel.HOP
    return (hops * (before[..., None] * (1 - ramp) + gain[..., None] * ramp)).flatten(-2)


def log_mel(sound: Tensor, dither: float = mel.DITHER_RMS) -> Tensor:
    """Return what the worker's front end hears. (B, n) to (B, n // 160 - 2, 40), as `log_mel_batch`.

    The dither is drawn anew, where the worker repeats four seconds of it.
    """
    heard = levelled(sound)
    heard = heard + dither * torch.randn_like(heard)
    window = torch.from_numpy(mel.HANN).to(sound.device)
    filters = torch.from_numpy(mel.FILTERS).to(sound.device)
    frames = heard.unfold(-1, mel.WINDOW, mel.HOP)[:, : sound.shape[-1] // mel.HOP - 2] * window
    power = torch.fft.rfft(frames, mel.FFT).abs().square()
    return torch.log10(power @ filters + mel.POWER_FLOOR)
