"""Controls become shape weights, gaze and a head pose the same way for every renderer."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.avatars import tiny_avatar

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose
from avatar_worker.render.shape_weights import (
    Driver,
    clamp_pose,
    gaze_angles,
    interior_of,
    smoothstep,
)

SHAPES = ("close", "jawOpen", "seal", "upperUp", "lowerDown", "funnel", "smileL", "breath")


def controls(head: HeadPose | None = None, **weights: float) -> FaceControls:
    given = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, weight in weights.items():
        given[CONTROL_INDEX[name]] = weight
    return FaceControls(Ticks(0), given, head or HeadPose())


def avatar_with(**gains: tuple[str, float]) -> Avatar:
    """The tiny avatar with `SHAPES`: shape = (control, gain). Its meshes do not fit any more."""
    tiny = tiny_avatar()
    matrix = np.zeros((len(CONTROL_NAMES), len(SHAPES)), np.float32)
    for shape, (control, gain) in gains.items():
        matrix[CONTROL_INDEX[control], SHAPES.index(shape)] = gain
    return replace(tiny, rig=replace(tiny.rig, shapes=SHAPES, arkit_to_shape=matrix))


def weights_of(avatar: Avatar, **given: float) -> dict[str, float]:
    drive = Driver(avatar).drive(controls(**given))
    return dict(zip(avatar.rig.shapes, drive.weights.tolist(), strict=True))


LIPS = avatar_with(
    jawOpen=("jawOpen", 0.5),
    upperUp=("mouthUpperUpLeft", 1.5),
    lowerDown=("mouthLowerDownLeft", 1.3),
    funnel=("mouthFunnel", 1.25),
    smileL=("mouthSmileLeft", 0.4),
    breath=("breath", 1.0),
)


def test_gains_lie_in_the_matrix() -> None:
    assert weights_of(LIPS, jawOpen=0.6)["jawOpen"] == pytest.approx(0.3)


def test_close_has_always_weight_one() -> None:
    assert weights_of(LIPS)["close"] == 1.0
    assert weights_of(LIPS, jawOpen=1.0, mouthClose=1.0)["close"] == 1.0


def test_weights_stay_between_zero_and_one() -> None:
    weights = weights_of(LIPS, mouthUpperUpLeft=1.0, mouthSmileLeft=-3.0)
    assert weights["upperUp"] == 1.0
    assert weights["smileL"] == 0.0


@pytest.mark.parametrize(("given", "expected"), [(-0.4, -0.4), (-2.0, -1.0), (2.0, 1.0)])
def test_breath_goes_both_ways(given: float, expected: float) -> None:
    assert weights_of(LIPS, breath=given)["breath"] == pytest.approx(expected)


def test_open_lips_are_not_sealed() -> None:
    weights = weights_of(LIPS, jawOpen=0.8, mouthClose=0.1, mouthFunnel=0.4)
    assert weights["seal"] == pytest.approx(0.0)
    assert weights["funnel"] == pytest.approx(0.5)


@pytest.mark.parametrize("close", [0.3, 0.5, 1.0])
def test_a_partial_command_seals_the_lips_fully(close: float) -> None:
    weights = weights_of(
        LIPS, jawOpen=0.8, mouthClose=close, mouthFunnel=1, mouthUpperUpLeft=1, mouthLowerDownLeft=1
    )
    assert weights["seal"] == pytest.approx(weights["jawOpen"]) == pytest.approx(0.4)
    assert weights["upperUp"] == weights["lowerDown"] == weights["funnel"] == 0.0


def test_half_a_seal_halves_what_opens_the_lips_but_not_the_smile() -> None:
    weights = weights_of(LIPS, jawOpen=0.8, mouthClose=0.2, mouthFunnel=0.4, mouthSmileLeft=1.0)
    assert weights["seal"] == pytest.approx(0.2)
    assert weights["funnel"] == pytest.approx(0.25)
    assert weights["smileL"] == pytest.approx(0.4)


def test_the_seal_grows_without_a_kink() -> None:
    rise = [smoothstep(0.1, 0.3, v) for v in np.linspace(0, 0.4, 41)]
    assert rise[10] == 0.0
    assert rise[30] == pytest.approx(1.0)
    assert rise[20] == pytest.approx(0.5)
    assert (np.diff(rise) >= 0).all()
    assert max(np.diff(rise)) < 0.08


def test_what_is_not_a_number_counts_as_nothing() -> None:
    weights = weights_of(LIPS, jawOpen=math.nan, mouthFunnel=math.inf, breath=-math.inf)
    assert weights["jawOpen"] == weights["funnel"] == weights["breath"] == 0.0


def test_a_rig_without_the_optional_shapes_works() -> None:
    tiny = tiny_avatar()
    drive = Driver(tiny).drive(controls(jawOpen=0.5, mouthClose=1.0))
    assert drive.weights[tiny.rig.shapes.index("jawOpen")] == pytest.approx(0.5)


def test_eyes_look_to_image_right_when_the_left_eye_looks_out_and_the_right_in() -> None:
    given = controls(eyeLookOutLeft=0.5, eyeLookInRight=0.5).weights
    assert gaze_angles(given) == ((15.0, 0.0), (15.0, 0.0))


def test_eyes_look_to_image_left_when_the_right_eye_looks_out_and_the_left_in() -> None:
    given = controls(eyeLookInLeft=0.4, eyeLookOutRight=0.4).weights
    (left, _), (right, _) = gaze_angles(given)
    assert left == right == pytest.approx(-12.0)


def test_down_is_positive_and_up_has_its_own_range() -> None:
    down = controls(eyeLookDownLeft=0.5, eyeLookDownRight=0.5).weights
    up = controls(eyeLookUpLeft=0.4, eyeLookUpRight=0.4).weights
    assert gaze_angles(down)[0][1] == pytest.approx(15.0)
    assert gaze_angles(up)[0][1] == pytest.approx(-10.0)


def test_gaze_stays_where_the_iris_can_be_drawn() -> None:
    aside = controls(eyeLookOutLeft=1, eyeLookInRight=1, eyeLookUpLeft=1, eyeLookUpRight=1).weights
    assert gaze_angles(aside)[0] == (20.0, -12.0)
    down = controls(eyeLookDownLeft=1, eyeLookDownRight=1).weights
    assert gaze_angles(down)[1] == (0.0, 18.0)


def test_eyes_share_a_direction_but_for_a_degree_of_convergence() -> None:
    crossed = controls(eyeLookInLeft=1.0, eyeLookInRight=1.0).weights
    assert gaze_angles(crossed) == ((-1.0, 0.0), (1.0, 0.0))
    single = controls(eyeLookOutLeft=0.5).weights
    (left, _), (right, _) = gaze_angles(single)
    assert (left, right) == (8.5, 6.5)


def test_the_iris_shifts_by_the_sine_and_the_highlight_by_a_part_of_it() -> None:
    avatar = tiny_avatar(rig={"interior": {"gaze_px": 10.0}})
    shifts = Driver(avatar).drive(controls(eyeLookOutLeft=0.5, eyeLookInRight=0.5)).shifts
    assert shifts["iris_l"] == pytest.approx((10 * math.sin(math.radians(15)), 0.0))
    assert shifts["glint_r"] == pytest.approx((3 * math.sin(math.radians(15)), 0.0))


def test_teeth_and_tongue_follow_the_jaw_along_the_mouths_own_axis() -> None:
    interior = {"mouth_down": [0.6, 0.8], "jaw_px": 10, "tongue_jaw_px": 5, "tongue_up_px": 4}
    shifts = Driver(tiny_avatar(rig={"interior": interior})).drive(
        controls(jawOpen=0.5, tongueUp=1.0)
    )
    assert shifts.shifts["teeth_lower"] == pytest.approx((3.0, 4.0))
    assert shifts.shifts["tongue"] == pytest.approx((-0.9, -1.2))


def test_a_tongue_between_the_teeth_is_a_raised_one() -> None:
    driver = Driver(tiny_avatar(rig={"interior": {"tongue_up_px": 4.0}}))
    up, out = (driver.drive(controls(**{name: 0.5})).shifts for name in ("tongueUp", "tongueOut"))
    assert out["tongue"] == up["tongue"] == pytest.approx((0.0, -2.0))
    both = driver.drive(controls(tongueUp=0.5, tongueOut=1.0)).shifts
    assert both["tongue"] == pytest.approx((0.0, -4.0)), "the farther one counts"


def test_an_avatar_that_says_nothing_about_its_interior_has_plausible_travels() -> None:
    avatar = tiny_avatar()
    interior = interior_of(avatar)
    assert interior.mouth_down == (0.0, 1.0)
    assert 0 < interior.gaze_px < interior.jaw_px < avatar.subject.iod_px


def test_a_pose_is_brought_within_the_avatars_limits() -> None:
    wild = HeadPose(yaw=50.0, pitch=-50.0, roll=math.nan, x=9.0, y=-math.inf)
    assert clamp_pose(wild, (10.0, 8.0, 6.0)) == HeadPose(10.0, -8.0, 0.0, 1.0, 0.0)
    calm = HeadPose(yaw=3.0, pitch=-2.0, roll=1.0, x=0.1, y=-0.1)
    assert clamp_pose(calm, (10.0, 8.0, 6.0)) == calm
