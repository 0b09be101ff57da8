"""The CPU renderer draws what the reference draws, to 40 dB and more, in every pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fakes.avatars import tiny_avatar
from tests.fakes.poses import POSES, controls

import avatar_worker
from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format.reader import read_avatar
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.reference import ReferenceRenderer

LEAST_DB = 40.0
DEMO = Path(avatar_worker.__file__).parent / "assets" / "avatars" / "demo.hvia"


def psnr_db(avatar: Avatar, pose: str) -> float:
    both = []
    for renderer in (ReferenceRenderer(), CpuRenderer()):
        (frame,) = renderer.render([(renderer.open(avatar), controls(pose))])
        both.append(frame.data.astype(np.float64))
    error = float(np.mean((both[0] - both[1]) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.fixture(scope="module")
def demo() -> Avatar:
    return read_avatar(DEMO, avatar_id="demo")


@pytest.mark.parametrize("pose", POSES)
def test_the_tiny_avatar_looks_the_same(pose: str) -> None:
    assert psnr_db(tiny_avatar(), pose) >= LEAST_DB


@pytest.mark.parametrize("pose", ["ah", "oh", "m", "look", "turn", "turn_back"])
def test_the_demo_avatar_looks_the_same(demo: Avatar, pose: str) -> None:
    assert psnr_db(demo, pose) >= LEAST_DB


def test_a_wrong_gaze_is_noticed(demo: Avatar) -> None:
    """The measure tells pictures apart that differ in no more than a glance."""
    renderer = CpuRenderer()
    slot = renderer.open(demo)
    rest, look = renderer.render([(slot, controls("rest")), (slot, controls("look"))])
    eyes = slice(200 * 512, 260 * 512)
    error = float(np.mean((rest.data[eyes].astype(float) - look.data[eyes]) ** 2))
    assert 10 * np.log10(255**2 / error) < LEAST_DB
