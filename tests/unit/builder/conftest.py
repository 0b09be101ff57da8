from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from avatar_worker.avatars import Canvas
from avatar_worker.avatars.builder.crop import CroppedPortrait, crop_to_canvas
from avatar_worker.avatars.builder.landmarks import Face, find_faces
from avatar_worker.avatars.builder.models import download_models
from fakes.portraits import photo

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="session", autouse=True)
def landmark_model() -> Path:
    """The model is a dependency like any other: fetched once, and a failure says what to do."""
    return download_models()


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """NASA's portrait of Eileen Collins, in the public domain. uint8, (512, 512, 3)."""
    return np.asarray(skimage.data.astronaut(), np.uint8)


@pytest.fixture(scope="session")
def near(astronaut: Image) -> Image:
    """Head and shoulders three times as large: the face is 275 pixels wide."""
    part = astronaut[:300, 80:380]
    return np.asarray(cv2.resize(part, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture(scope="session")
def astronaut_face(astronaut: Image, landmark_model: Path) -> Face:
    return find_faces(astronaut)[0]


@pytest.fixture(scope="session")
def near_face(near: Image, landmark_model: Path) -> Face:
    return find_faces(near)[0]


@pytest.fixture(scope="session")
def actor() -> Image:
    """The invented person at the size of a canvas. uint8, (640, 512, 3)."""
    return np.asarray(
        cv2.resize(photo("actor"), (512, 640), interpolation=cv2.INTER_AREA), np.uint8
    )


@pytest.fixture(scope="session")
def actors_face(actor: Image, landmark_model: Path) -> Face:
    return find_faces(actor)[0]


@pytest.fixture(scope="session")
def canvas() -> Canvas:
    return Canvas(512, 640, 25, "bt709", "limited")


@pytest.fixture(scope="session")
def portrait(astronaut: Image, astronaut_face: Face, canvas: Canvas) -> CroppedPortrait:
    return crop_to_canvas(astronaut, astronaut_face, canvas)
