"""Marks survive what codecs and scalers do to pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from benchmarks.measuring.marks import LOUD, Marks, is_loud, paint, paint_frame, read

from avatar_worker.clock import Ticks
from avatar_worker.frames import VideoFrame


def picture(marks: Marks, width: int = 512, height: int = 640) -> np.ndarray:
    luma = np.full((height, width), 120, np.uint8)
    paint(luma, marks)
    return luma


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 32_767, 32_768, 43_690, 65_535])
def test_counts_are_read_back(count: int) -> None:
    assert read(picture(Marks(count, loud=False, speaking=True))).count == count


@pytest.mark.parametrize("loud", [True, False])
@pytest.mark.parametrize("speaking", [True, False])
def test_flags_are_read_back(loud: bool, speaking: bool) -> None:
    marks = Marks(7, loud=loud, speaking=speaking)
    assert read(picture(marks)) == marks


def test_neighbours_differ_in_one_cell() -> None:
    for count in range(0, 65_535, 97):
        one = picture(Marks(count, loud=False, speaking=False))
        two = picture(Marks(count + 1, loud=False, speaking=False))
        assert int((one != two).sum()) == 512 // 16 * (640 // 16)


@pytest.mark.parametrize("size", [(512, 640), (256, 320), (180, 224), (400, 500)])
def test_marks_survive_scaling_blur_and_noise(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    for count in (0, 1_234, 51_966, 65_535):
        marks = Marks(count, loud=count % 2 == 0, speaking=count > 2_000)
        luma = cv2.resize(picture(marks), size, interpolation=cv2.INTER_AREA)
        rough = cv2.GaussianBlur(luma, (7, 7), 0) + rng.normal(0, 15, luma.shape)
        assert read(np.clip(rough, 0, 255).astype(np.uint8)) == marks


def test_marks_survive_a_coarse_codec() -> None:
    marks = Marks(40_321, loud=True, speaking=True)
    _, packed = cv2.imencode(".jpg", picture(marks), [cv2.IMWRITE_JPEG_QUALITY, 5])
    assert read(np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE))) == marks


def test_a_frame_is_painted_in_place_and_keeps_its_colour() -> None:
    data = np.full(64 * 80 * 3 // 2, 77, np.uint8)
    frame = VideoFrame(Ticks(0), 64, 80, data)
    marks = Marks(9, loud=True, speaking=False)
    paint_frame(frame, marks)
    assert read(data[: 64 * 80].reshape(80, 64)) == marks
    assert (data[64 * 80 :] == 77).all()


def test_sound_is_loud_from_30_db_below_full_scale() -> None:
    assert is_loud(np.full(640, 1.01 * LOUD, np.float32))
    assert not is_loud(np.full(640, 0.99 * LOUD, np.float32))
    assert not is_loud(np.empty(0, np.float32))
