"""Speech from a sound file, for rendering without a room."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt

from avatar_worker.errors import ConfigError
from avatar_worker.frames import OUTPUT_RATE

LONGEST_S: Final = 3_600
"""An hour of sound is 345 MB in memory; a longer file is refused, not truncated."""

# A playlist is a sound file to FFmpeg, and opens addresses and other files: formats are named.
_FORMATS: Final = "wav,w64,aiff,au,flac,ogg,mp3,aac,mov,matroska,caf"


def read_speech(path: Path) -> npt.NDArray[np.int16]:
    """Return the first sound track of a file, all channels averaged.

    Args:
        path: WAV, FLAC, MP3, Ogg, AAC, or a film with a sound track.

    Returns:
        Mono samples at 48 kHz. int16, (n,), n > 0.

    Raises:
        ConfigError: If there is no such file, it cannot be decoded, or it has no sound or more
            than an hour of it.
    """
    if not path.is_file():
        raise ConfigError(f"there is no sound file {path}")
    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    resampler = av.AudioResampler(format="s16", layout="mono", rate=OUTPUT_RATE)
    parts: list[npt.NDArray[np.int16]] = []
    length = 0
    try:
        with av.open(str(path.absolute()), options=options) as container:
            if not container.streams.audio:
                raise ConfigError(f"{path} has no sound track")
            for frame in container.decode(audio=0):
                for piece in resampler.resample(frame):
                    parts.append(piece.to_ndarray()[0].astype(np.int16))
                    length += len(parts[-1])
                if length > LONGEST_S * OUTPUT_RATE:
                    raise ConfigError(f"{path} is longer than {LONGEST_S // 60} minutes; cut it")
        if parts:
            parts += [piece.to_ndarray()[0].astype(np.int16) for piece in resampler.resample(None)]
    except (av.FFmpegError, OSError) as error:
        raise ConfigError(
            f"cannot read sound from {path} ({_reason(error)}); give a WAV, FLAC, MP3 or Ogg file"
        ) from error
    if not sum(len(part) for part in parts):
        raise ConfigError(f"{path} holds no sound")
    return np.concatenate(parts)


def _reason(error: av.FFmpegError | OSError) -> str:
    """Return FFmpeg's words without its codes."""
    return (error.strerror or type(error).__name__).lower()
