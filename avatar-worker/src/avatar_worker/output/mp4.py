"""Pictures and sound into an MP4 file."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from avatar_worker.clock import TICKS_PER_SECOND, Ticks
from avatar_worker.errors import ConfigError
from avatar_worker.frames import OUTPUT_RATE, VideoFrame

_ENCODERS: Final = ("libx264", "libopenh264", "h264")
# ISO/IEC 23091-2: 1 is BT.709, 6 is BT.601 at 525 lines; sRGB pictures are close to both curves.
_MATRICES: Final = {"bt709": 1, "bt601": 6}
_RANGES: Final = {"limited": 1, "full": 2}
_TICK: Final = Fraction(1, TICKS_PER_SECOND)


class Mp4Writer:
    """Writes H.264 and AAC, playable while it loads. Use it as a block.

    The file appears under its name when the block ends well; otherwise nothing is left behind.

    Args:
        path: Where the film goes; an older one is replaced.
        width: Of the pictures, even.
        height: Of the pictures, even.
        fps: Pictures per second.
        matrix: How the pictures code colour, `bt601` or `bt709`.
        range: `limited` or `full`.

    Raises:
        ConfigError: On entering, if the folder cannot be written to or FFmpeg lacks an encoder;
            at once, if the size is odd or the colour coding unknown.
    """

    def __init__(
        self, path: Path, *, width: int, height: int, fps: int, matrix: str, range: str
    ) -> None:
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise ConfigError(f"a film needs an even size, not {width}x{height}")
        if matrix not in _MATRICES or range not in _RANGES:
            raise ConfigError(f"colour coded as {matrix} {range} is unknown")
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._size = (width, height)
        self._fps = fps
        self._matrix, self._range = _MATRICES[matrix], _RANGES[range]
        self._first: Ticks | None = None
        self._played = 0

    def __enter__(self) -> Self:
        try:
            self._container = av.open(
                str(self._part), "w", format="mp4", options={"movflags": "+faststart"}
            )
        except (av.FFmpegError, OSError) as error:
            raise ConfigError(f"cannot write {self._path}: {error.strerror}") from error
        try:
            self._video = self._add_video()
            self._audio: AudioStream = self._container.add_stream(
                "aac", rate=OUTPUT_RATE, layout="mono"
            )
            self._audio.bit_rate = 96_000
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._discard()
            return
        try:
            self._container.mux(self._video.encode(None))
            self._container.mux(self._audio.encode(None))
            self._container.close()
            os.replace(self._part, self._path)
        except (av.FFmpegError, OSError) as failure:
            self._discard()
            raise ConfigError(f"cannot write {self._path}: {failure.strerror}") from failure

    def write_picture(self, frame: VideoFrame) -> None:
        """Append a picture; it is shown at its pts, counted from the first one's.

        Raises:
            ValueError: If it has another size than the film.
            ConfigError: If the disk does not take it.
        """
        if (frame.width, frame.height) != self._size:
            raise ValueError(f"a picture of {frame.width}x{frame.height} in a film of {self._size}")
        if self._first is None:
            self._first = frame.pts
        planes = frame.data.reshape(frame.height * 3 // 2, frame.width)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts, picture.time_base = frame.pts - self._first, _TICK
        picture.colorspace, picture.color_range = self._matrix, self._range
        self._mux(self._video, picture)

    def write_sound(self, pcm: npt.NDArray[np.int16]) -> None:
        """Append mono sound at 48 kHz, int16, (n,). It starts with the first picture.

        Raises:
            ConfigError: If the disk does not take it.
        """
        if not len(pcm):
            return
        sound = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        sound.sample_rate, sound.pts = OUTPUT_RATE, self._played
        sound.time_base = Fraction(1, OUTPUT_RATE)
        self._played += len(pcm)
        self._mux(self._audio, sound)

    def _mux(self, stream: VideoStream | AudioStream, frame: object) -> None:
        try:
            self._container.mux(stream.encode(frame))  # type: ignore[arg-type]
        except (av.FFmpegError, OSError) as error:
            raise ConfigError(f"cannot write {self._path}: {error.strerror}") from error

    def _add_video(self) -> VideoStream:
        """Add the H.264 stream with the first encoder that this FFmpeg has."""
        name = next((n for n in _ENCODERS if n in av.codecs_available), None)
        if name is None:
            raise ConfigError("this build of PyAV has no H.264 encoder; install the wheel of PyPI")
        stream: VideoStream = self._container.add_stream(name, rate=self._fps)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = _TICK
        context.colorspace = context.color_primaries = context.color_trc = self._matrix
        context.color_range = self._range
        if name == "libx264":
            stream.options = {"preset": "veryfast", "crf": "18", "threads": "1"}
        else:
            stream.bit_rate = 4_000_000
        return stream

    def _discard(self) -> None:
        """Close without finishing and leave no file."""
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        self._part.unlink(missing_ok=True)
