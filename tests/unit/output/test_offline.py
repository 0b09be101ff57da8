"""Marks reach the film at their second, and not before."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from avatar_worker.clock import Ticks
from avatar_worker.errors import ConfigError
from avatar_worker.face import Gesture, Mood
from avatar_worker.output.marks import Mark
from avatar_worker.output.offline import render_file
from fakes.avatars import tiny_avatar
from fakes.voice import MadeUpVoice

SECOND = 48_000


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        sound = np.clip(MadeUpVoice().sound(2.0), -1, 1)
        file.writeframes((sound * 20_000).astype("<i2").tobytes())
    return path


def film(speech: Path, out: Path, *marks: Mark) -> np.ndarray:
    """The luma of every picture, (n, h, w)."""
    count = render_file(speech, tiny_avatar(), out, renderer="reference", marks=marks)
    with av.open(str(out)) as opened:
        pictures = [f.to_ndarray(format="gray") for f in opened.decode(video=0)]
    assert len(pictures) == count
    return np.array(pictures, np.int16)


def test_a_mark_changes_the_film_from_its_second_on(speech: Path, tmp_path: Path) -> None:
    plain = film(speech, tmp_path / "plain.mp4")
    same = film(speech, tmp_path / "same.mp4")
    marked = film(speech, tmp_path / "marked.mp4", Mark(Ticks(SECOND), Gesture("nod")))
    assert np.array_equal(plain, same)
    moved = np.abs(marked - plain).max(axis=(1, 2))
    assert moved[27:35].max() > 20
    # The encoder looks ahead, so pictures before the mark may differ by its rounding.
    assert moved[:22].max() < 12


def test_a_mark_behind_the_end_leaves_no_film(speech: Path, tmp_path: Path) -> None:
    out = tmp_path / "none.mp4"
    with pytest.raises(ConfigError, match="behind the end"):
        film(speech, out, Mark(Ticks(3 * SECOND), Mood("happy")))
    assert not out.exists()
