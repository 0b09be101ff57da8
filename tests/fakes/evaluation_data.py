"""A folder of evaluation data, made by a test."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np


def write_wav(path: Path, pcm: np.ndarray, rate: int = 16_000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(pcm, -1, 1) * 32_767).astype("<i2").tobytes())


def tone(seconds: float, rate: int = 16_000) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)


def real(folder: Path, phones: list[Any]) -> None:
    where = folder / "speech" / "real"
    where.mkdir(parents=True, exist_ok=True)
    write_wav(where / "one.wav", tone(2))
    (where / "one.txt").write_text("ah ma")
    (where / "one.phones.json").write_text(json.dumps(phones))


def made(folder: Path, name: str, phones: list[Any], **more: object) -> None:
    where = folder / "speech" / "tts"
    where.mkdir(parents=True, exist_ok=True)
    write_wav(where / f"{name}.wav", tone(1))
    written = {"text": "x", "phones": phones, **more}
    (where / f"{name}.phones.json").write_text(json.dumps(written))


def film(folder: Path, name: str = "grid_a", **more: np.ndarray | None) -> None:
    where = folder / "videos"
    where.mkdir(parents=True, exist_ok=True)
    write_wav(where / f"{name}.wav", tone(2))
    t = np.arange(60) / 30
    fields = {"t": t, "gap": np.where(np.arange(60) == 30, np.nan, t), **more}
    kept: dict[str, Any] = {k: v for k, v in fields.items() if v is not None}
    np.savez(where / f"{name}.npz", **kept)
