from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar_worker.avatars.builder.portrait.build import build_portrait
from avatar_worker.avatars.builder.portrait.shapes import SHAPES
from avatar_worker.avatars.format import pack_avatar, read_avatar
from avatar_worker.errors import AvatarRefusedError
from fakes.portraits import CREATED, NAMES, built, measured, mesh, photo


@pytest.mark.parametrize("name", NAMES)
def test_the_writer_accepts_it_and_the_reader_gives_it_back(name: str) -> None:
    avatar = built(name)
    again = read_avatar(pack_avatar(avatar), avatar_id=name)
    assert again.rig.shapes == SHAPES
    assert again.manifest["rig"]["interior"] == avatar.manifest["rig"]["interior"]
    assert again.canvas == avatar.canvas
    for ours, theirs in zip(avatar.rig.meshes, again.rig.meshes, strict=True):
        np.testing.assert_array_equal(ours.delta, theirs.delta)
    for role in ("mask_upper", "mask_lower", "teeth_upper", "iris_l"):
        np.testing.assert_array_equal(avatar.layers[role].pixels, again.layers[role].pixels)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_stays_small(name: str) -> None:
    assert len(pack_avatar(built(name))) < 2_700_000


def test_the_same_photo_makes_the_same_file() -> None:
    again = build_portrait(
        photo("actor"),
        avatar_id="actor",
        name="actor",
        consent={"subject": "synthetic"},
        created=CREATED,
    )
    assert pack_avatar(again) == pack_avatar(built("actor"))


def test_it_is_coloured_as_video_calls_expect() -> None:
    canvas = built("actor").canvas
    assert (canvas.matrix, canvas.range, canvas.fps) == ("bt601", "limited", 25)


@pytest.mark.parametrize("name", NAMES)
def test_meshes_are_regular_and_lie_on_the_bodys_grid(name: str) -> None:
    avatar = built(name)
    body = mesh(avatar, "body")
    assert [m.name for m in avatar.rig.meshes] == ["body", "mouth", "eye_l", "eye_r"]
    for part in avatar.rig.meshes:
        assert part.delta.shape == (len(part.layers), len(SHAPES), len(part.xy), 2)
        assert part.delta.dtype == np.float16
        spread = part.xy - part.origin
        np.testing.assert_array_equal(spread % part.cell_px, 0)
        for value in (*part.origin, *spread.max(0)):
            assert value % body.cell_px == 0
        a, b, c = np.moveaxis(part.xy[part.tri], 1, 0)
        area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        np.testing.assert_array_equal(area, part.cell_px**2)


@pytest.mark.parametrize("name", NAMES)
def test_slits_name_their_mesh_and_their_inside(name: str) -> None:
    avatar = built(name)
    assert [s.name for s in avatar.rig.slits] == ["mouth", "lid_l", "lid_r"]
    for slit in avatar.rig.slits:
        part = mesh(avatar, slit.mesh)
        assert all(role in avatar.layers for role in slit.inner)
        assert (slit.contour > part.xy.min(0)).all()
        assert (slit.contour < part.xy.max(0)).all()
        np.testing.assert_allclose(slit.seam[[0, -1]], slit.contour[[0, 20]], atol=1e-3)


def test_the_subject_is_measured() -> None:
    avatar, m = built("actor"), measured("actor")
    assert avatar.subject.iod_px == pytest.approx(m.u, abs=1e-3)
    assert avatar.subject.mouth_width_px == pytest.approx(2 * m.mouth.half_width, abs=1e-3)
    assert avatar.subject.neck_pivot_px[1] > m.chin[1]


def test_by_default_nobody_else_may_use_it_and_its_source_is_named() -> None:
    manifest = built("actor").manifest
    assert manifest["licence"]["spdx"] == "LicenseRef-Private"
    assert manifest["licence"]["redistribution"] is False
    assert len(manifest["provenance"]["sources"][0]["sha256"]) == 64
    assert manifest["consent"] == {"subject": "synthetic"}


def test_progress_grows_to_one_and_warnings_are_sentences() -> None:
    shares: list[float] = []
    warnings: list[str] = []
    build_portrait(
        photo("astronaut"),
        avatar_id="a",
        name="A",
        consent={"subject": "public_domain"},
        progress=lambda step, share: shares.append(share),
        warn=warnings.append,
    )
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert any("lips are parted" in warning for warning in warnings)


def test_a_photo_without_a_face_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    with pytest.raises(AvatarRefusedError, match="No face"):
        build_portrait(noise, avatar_id="a", name="A", consent={"subject": "synthetic"})


def test_the_demo_avatar_in_the_package_is_what_the_builder_makes() -> None:
    import avatar_worker

    path = Path(avatar_worker.__file__).parent / "assets" / "avatars" / "demo.hvia"
    demo = read_avatar(path, avatar_id="demo")
    ours = built("actor")
    assert demo.rig.shapes == ours.rig.shapes
    assert demo.manifest["licence"]["spdx"] == "CC0-1.0"
    assert path.stat().st_size <= 2_500_000
    for theirs, made in zip(demo.rig.meshes, ours.rig.meshes, strict=True):
        np.testing.assert_allclose(
            theirs.delta.astype(np.float32), made.delta.astype(np.float32), atol=0.05
        )
