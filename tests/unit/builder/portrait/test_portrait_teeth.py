"""Teeth are the person's own where the photo shows them, and differ from face to face elsewhere."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars import Canvas
from avatar_worker.avatars.builder.crop import crop_to_canvas
from avatar_worker.avatars.builder.landmarks import find_faces
from avatar_worker.avatars.builder.portrait.dentition import (
    LOWER_TEETH,
    UPPER_ARCH_MM,
    UPPER_TEETH,
    dentition,
)
from avatar_worker.avatars.builder.portrait.interior import mouth_layers
from avatar_worker.avatars.builder.portrait.measures import Measures
from avatar_worker.avatars.builder.portrait.own_teeth import BRIGHTEST, LUMA, own_teeth, skin_luma
from fakes.portraits import measured, photo

Bytes = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def smile() -> Bytes:
    """The astronaut on her canvas."""
    picture = photo("astronaut")
    canvas = Canvas(512, 640, 25, "bt601", "limited")
    return crop_to_canvas(picture, find_faces(picture)[0], canvas).rgb


def between_the_lips(m: Measures) -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[0:640, 0:512]
    s, t = m.mouth.local(np.stack([x, y], -1) * 1.0)
    return (np.abs(s) < 0.6) & (t > m.mouth.upper(s) + 2) & (t < m.mouth.lower(s) - 2)


def test_a_smile_gives_its_own_teeth_where_the_photo_has_them(smile: Bytes) -> None:
    m = measured("astronaut")
    teeth = own_teeth(smile, m)
    assert teeth is not None
    (left, top), (height, width) = teeth.origin, teeth.alpha.shape
    where = between_the_lips(m)[top : top + height, left : left + width]
    assert teeth.alpha[where].mean() > 0.8
    # Their pattern is the photo's: what differs is light.
    ours = teeth.colour[where] @ LUMA
    theirs = smile[top : top + height, left : left + width][where] @ LUMA
    assert np.corrcoef(ours, theirs)[0, 1] > 0.6
    layer = mouth_layers(smile, m)[3]
    assert layer.role == "teeth_upper"
    assert layer.origin == teeth.origin


def test_own_teeth_end_at_the_biting_edge_and_at_the_corners(smile: Bytes) -> None:
    m, teeth = measured("astronaut"), own_teeth(smile, measured("astronaut"))
    assert teeth is not None
    y, x = np.mgrid[0 : teeth.alpha.shape[0], 0 : teeth.alpha.shape[1]]
    s, t = m.mouth.local(np.stack([x, y], -1) + np.array(teeth.origin, float))
    assert teeth.alpha[t > m.mouth.lower(s) + 0.06 * m.u].max() < 0.02
    assert teeth.alpha[np.abs(s) > 1.05].max() < 0.02
    assert teeth.alpha[0].max() < 0.02


@pytest.mark.parametrize("light", [0.5, 1.0, 1.5])
def test_own_teeth_are_no_lamp(smile: Bytes, light: float) -> None:
    m = measured("astronaut")
    whiter = smile.copy()
    where = between_the_lips(m)
    whiter[where] = np.clip(smile[where] * light, 0, 255).astype(np.uint8)
    teeth = own_teeth(whiter, m)
    assert teeth is not None
    assert teeth.enamel @ LUMA <= 1.02 * BRIGHTEST * skin_luma(whiter, m)


def test_closed_lips_and_an_open_mouth_without_teeth_give_none(smile: Bytes) -> None:
    actor = cv2.resize(photo("actor"), (512, 640), interpolation=cv2.INTER_AREA)
    assert own_teeth(np.asarray(actor, np.uint8), measured("actor")) is None
    m = measured("astronaut")
    dark = smile.copy()
    dark[between_the_lips(m)] = (40, 15, 15)
    assert own_teeth(dark, m) is None


def test_the_same_face_has_the_same_teeth_and_another_one_others() -> None:
    actor, astronaut = measured("actor"), measured("astronaut")
    assert dentition(actor) == dentition(actor)
    assert dentition(actor) != dentition(astronaut)
    moved = dataclasses.replace(
        actor,
        points=actor.points + 7.0,
        mouth=dataclasses.replace(actor.mouth, centre=actor.mouth.centre + 7.0),
    )
    assert dentition(moved) == dentition(actor)


def test_chosen_teeth_stay_human() -> None:
    base = measured("actor")
    seen = set()
    for number in range(60):
        points = base.points.copy()
        points[10, 1] += 1.3 * number
        rows = dentition(dataclasses.replace(base, points=points))
        seen.add(rows)
        for row, usual in ((rows.upper, UPPER_TEETH), (rows.lower, LOWER_TEETH)):
            for half in row.teeth:
                for (width, height), (w, h) in zip(half, usual, strict=True):
                    assert 0.8 < width / w < 1.22
                    assert 0.87 < height / h < 1.13
            assert abs(row.teeth[0][0][0] - row.teeth[1][0][0]) < 1.2
        assert 0.85 < rows.upper.arch_mm / UPPER_ARCH_MM < 1.15
        red, green, blue = rows.enamel
        assert 255 > red >= green >= blue > 160
    assert len(seen) > 50


def test_no_tooth_is_as_bright_as_its_neighbour_and_canines_are_darker() -> None:
    base = measured("actor")
    front, canine, steps = [], [], []
    for number in range(60):
        points = base.points.copy()
        points[10, 1] += 1.3 * number
        row = dentition(dataclasses.replace(base, points=points)).upper
        left, right = np.array(row.shades)
        assert ((left >= 0.85) & (left <= 1.03)).all()
        front.append(left[0])
        canine.append(left[2])
        steps.append(np.abs(left - right).mean())
    assert 0.02 < np.mean(front) - np.mean(canine) < 0.10
    assert 0.01 < np.mean(steps) < 0.05


def test_teeth_differ_visibly_between_two_faces_in_the_same_light() -> None:
    """Both rows drawn in the actor's mouth, so that only the dentition differs."""
    base = measured("actor")
    points = base.points.copy()
    points[10, 1] += 20
    other = dataclasses.replace(base, points=points)
    plain = np.full((640, 512, 3), 170, np.uint8)
    one, two = (mouth_layers(plain, m)[3].pixels.astype(int) for m in (base, other))
    assert one.shape == two.shape
    assert np.abs(one - two).mean() > 1.0
