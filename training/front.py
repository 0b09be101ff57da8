"""Whole recordings to log-mel, fast: as the worker hears them, and without its levelling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avatar_worker.features.hearing import MelStream, bands, log_mel_step
from avatar_worker.features.mel import BANDS, HOP, STEP, WINDOW

from .units import FloatArray


def log_mel_plain(pcm: FloatArray) -> FloatArray:
    """Return log10 band power of windows 0, 1, ... float32, (1 + (n - 400) // 160, 40).

    Args:
        pcm: At least 400 samples in [-1, 1], 16 kHz. float32, (n,).
    """
    windows = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float32), WINDOW)[::HOP]
    return bands(np.ascontiguousarray(windows))


def log_mel_batch(pcm: Sequence[FloatArray]) -> FloatArray:
    """Return what the worker's streams would hear, levelled and dithered, each from its start.

    Args:
        pcm: B recordings of one length, a whole number of 640 samples. float32, (n,).

    Returns:
        Frames 0, 1, ... The two that begin before the recording are left out.
        float32, (B, n // 160 - 2, 40).
    """
    streams = [MelStream() for _ in pcm]
    steps = [
        log_mel_step(streams, [one[start : start + STEP] for one in pcm])
        for start in range(0, len(pcm[0]), STEP)
    ]
    heard = np.concatenate(steps, axis=1)[:, 2:]
    assert heard.shape[2] == BANDS
    return heard
