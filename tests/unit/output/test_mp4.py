"""The film holds what was written, pictures and sound together, or does not exist."""

from pathlib import Path

import av
import numpy as np
import pytest

from avatar_worker.audio import read_speech
from avatar_worker.clock import Ticks
from avatar_worker.errors import ConfigError
from avatar_worker.frames import VideoFrame
from avatar_worker.output import Mp4Writer

WIDTH, HEIGHT, PERIOD = 64, 80, 1_920


def picture(pts: int, luma: int) -> VideoFrame:
    data = np.full(WIDTH * HEIGHT * 3 // 2, 128, np.uint8)
    data[: WIDTH * HEIGHT] = luma
    return VideoFrame(Ticks(pts), WIDTH, HEIGHT, data)


def writer(path: Path, matrix: str = "bt709", range: str = "limited") -> Mp4Writer:
    return Mp4Writer(path, width=WIDTH, height=HEIGHT, fps=25, matrix=matrix, range=range)


def film(path: Path, pictures: int = 25, flash_at: int = 12, start: int = 0) -> None:
    """A dark second in which one picture is bright and its 40 ms of sound are loud."""
    with writer(path) as out:
        for i in range(pictures):
            out.write_picture(picture(start + i * PERIOD, 200 if i == flash_at else 40))
            loud = 12_000 if i == flash_at else 0
            out.write_sound(np.rint(loud * np.sin(np.arange(PERIOD) * 0.3)).astype(np.int16))


def film_with_a_wrong_picture(path: Path) -> None:
    with writer(path) as out:
        out.write_picture(picture(0, 100))
        out.write_picture(VideoFrame(Ticks(PERIOD), 32, 32, np.zeros(1_536, np.uint8)))


def test_every_picture_and_all_sound_is_in_the_film(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film(path)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        assert [round(float(f.pts * f.time_base) * 25) for f in frames] == list(range(25))
        assert (frames[0].width, frames[0].height) == (WIDTH, HEIGHT)
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.audio[0].codec_context.name == "aac"
    assert len(read_speech(path)) == pytest.approx(48_000, abs=1_024)


@pytest.mark.parametrize("start", [0, 96_007])
def test_sound_and_picture_stay_together(tmp_path: Path, start: int) -> None:
    path = tmp_path / "film.mp4"
    film(path, start=start)
    with av.open(str(path)) as container:
        bright = [f for f in container.decode(video=0) if f.to_ndarray()[:HEIGHT].mean() > 120]
    sound = np.abs(read_speech(path).astype(float))
    loud = np.flatnonzero(sound > 3_000)
    assert len(bright) == 1
    assert loud[0] / 48_000 == pytest.approx(float(bright[0].pts * bright[0].time_base), abs=0.003)


@pytest.mark.parametrize(
    ("matrix", "range", "tags"),
    [("bt709", "limited", (1, 1)), ("bt601", "limited", (6, 1)), ("bt601", "full", (6, 2))],
)
def test_the_film_says_how_colour_is_coded(
    tmp_path: Path, matrix: str, range: str, tags: tuple[int, int]
) -> None:
    path = tmp_path / "film.mp4"
    with writer(path, matrix, range) as out:
        out.write_picture(picture(0, 235))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert (int(frame.colorspace), int(frame.color_range)) == tags
    # The bytes are tagged, not converted.
    assert frame.to_ndarray()[:HEIGHT].mean() == pytest.approx(235, abs=2)


def test_the_index_stands_before_the_pictures(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film(path)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_film_that_fails_leaves_nothing_and_the_old_one_in_place(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"the old film")
    with pytest.raises(ValueError, match="in a film of"):
        film_with_a_wrong_picture(path)
    assert path.read_bytes() == b"the old film"
    assert list(tmp_path.iterdir()) == [path]


def test_an_older_film_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"the old film")
    film(path)
    assert len(path.read_bytes()) > 1_000
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"cannot write .*nowhere"),
        writer(tmp_path / "nowhere" / "film.mp4"),
    ):
        pass


@pytest.mark.parametrize(
    "options",
    [
        {"width": 63}, {"height": 0}, {"matrix": "bt2020"}, {"range": "wide"},
    ],
)  # fmt: skip
def test_nonsense_is_refused_before_a_file_is_made(
    tmp_path: Path, options: dict[str, object]
) -> None:
    usual: dict[str, object] = {
        "width": 64, "height": 80, "fps": 25, "matrix": "bt709", "range": "limited",
    }  # fmt: skip
    with pytest.raises(ConfigError):
        Mp4Writer(tmp_path / "film.mp4", **{**usual, **options})
    assert not list(tmp_path.iterdir())


def test_no_sound_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with writer(path) as out:
        out.write_picture(picture(0, 100))
        out.write_sound(np.zeros(0, np.int16))
    assert path.exists()
