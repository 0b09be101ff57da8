"""Speech from files: whatever people have, or a sentence that says what is wrong."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from avatar_worker.audio import read_speech
from avatar_worker.errors import ConfigError


def write_wav(path: Path, rate: int, channels: int, seconds: float = 0.5) -> None:
    t = np.arange(int(rate * seconds)) / rate
    tone = np.rint(8_000 * np.sin(2 * np.pi * 440 * t)).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.repeat(tone, channels).tobytes())


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (22_050, 2), (44_100, 2), (48_000, 1)])
def test_a_wav_of_any_rate_is_read_at_48_khz(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "speech.wav"
    write_wav(path, rate, channels)
    pcm = read_speech(path)
    assert pcm.dtype == np.int16
    assert pcm.ndim == 1
    assert abs(len(pcm) - 24_000) <= 48
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    assert spectrum.argmax() * 48_000 / len(pcm) == pytest.approx(440, abs=3)
    assert 7_500 < np.abs(pcm[4_800:-4_800]).max() < 8_500


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "mp3"), ("a.flac", "flac"), ("a.m4a", "aac")]
)
def test_compressed_speech_is_read(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24_000, layout="mono")
        tone = np.rint(8_000 * np.sin(np.arange(24_000) * 0.1)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate = 24_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pcm = read_speech(path)
    assert len(pcm) == pytest.approx(48_000, abs=5_000)
    assert np.abs(pcm).max() > 6_000


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no sound file .*nothing\.wav"):
        read_speech(tmp_path / "nothing.wav")
    with pytest.raises(ConfigError, match="there is no sound file"):
        read_speech(tmp_path)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"hello, world\n" * 100, bytes(10_000)])
def test_a_file_that_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "speech.wav"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot read sound from .*give a WAV"):
        read_speech(path)


def test_a_wav_without_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    write_wav(path, 16_000, 1, seconds=0)
    with pytest.raises(ConfigError, match=r"sound"):
        read_speech(path)


def test_a_playlist_may_not_open_other_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    write_wav(secret, 16_000, 1)
    playlist = tmp_path / "speech.wav"
    playlist.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://" + str(secret) + "\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(ConfigError, match="cannot read sound"):
        read_speech(playlist)


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ConfigError, match="has no sound track"):
        read_speech(path)
