"""Rules V10 to V14: one mutated manifest each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from avatar_worker.avatars.format import read_avatar
from avatar_worker.errors import AvatarCorruptError, AvatarFileError, AvatarUnsupportedError
from fakes.avatar_files import parts, with_entry, with_index, with_manifest

Json = dict[str, Any]
Change = Callable[[Json], object]


def refusal(content: bytes) -> AvatarFileError:
    with pytest.raises(AvatarFileError) as caught:
        read_avatar(content, avatar_id="tiny")
    return caught.value


def test_another_format_is_foreign(tiny: bytes) -> None:
    fault = refusal(with_manifest(tiny, lambda m: m.update(format="hvib")))
    assert isinstance(fault, AvatarUnsupportedError)
    assert (fault.code, fault.rule) == ("E_FOREIGN", "V10")
    assert "is not an open HVIA file" in str(fault)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(version="2.0"),
        lambda m: m.update(min_reader="1.1"),
        lambda m: m.update(version="0.9"),
        lambda m: m.update(version=1.0),
        lambda m: m.update(version="one"),
        lambda m: m.pop("version"),
        lambda m: m.pop("min_reader"),
    ],
)
def test_another_version_is_unsupported(tiny: bytes, change: Change) -> None:
    fault = refusal(with_manifest(tiny, change))
    assert isinstance(fault, AvatarUnsupportedError)
    assert (fault.code, fault.rule) == ("E_VERSION", "V10")


def test_an_unknown_key_is_refused_in_our_version(tiny: bytes) -> None:
    fault = refusal(with_manifest(tiny, lambda m: m["canvas"].update(depth=3)))
    assert isinstance(fault, AvatarCorruptError)
    assert (fault.code, fault.rule, fault.where) == ("E_MANIFEST", "V11", "$.canvas.depth")


def test_an_unknown_key_is_ignored_in_a_newer_minor_version(tiny: bytes) -> None:
    def change(m: Json) -> None:
        m.update(version="1.7", sound={"voice": "low"})
        m["canvas"]["depth"] = 3
        m["rig"]["meshes"][1]["smooth"] = True

    avatar = read_avatar(with_manifest(tiny, change), avatar_id="tiny")
    assert avatar.manifest["sound"] == {"voice": "low"}
    assert avatar.manifest["canvas"]["depth"] == 3


def test_a_newer_minor_version_forgives_nothing_else(tiny: bytes) -> None:
    def change(m: Json) -> None:
        m.update(version="1.7", sound=1)
        m["canvas"]["width"] = "64"

    assert refusal(with_manifest(tiny, change)).where == "$.canvas.width"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda m: m.pop("canvas"), "$.canvas"),
        (lambda m: m["canvas"].update(width=63), "$.canvas.width"),
        (lambda m: m["canvas"].update(width=True), "$.canvas.width"),
        (lambda m: m["canvas"].update(height=8192), "$.canvas.height"),
        (lambda m: m["canvas"].update(fps=29), "$.canvas.fps"),
        (lambda m: m["canvas"].update(matrix="bt2020"), "$.canvas.matrix"),
        (lambda m: m["subject"].update(iod_px=0), "$.subject.iod_px"),
        (lambda m: m["subject"].update(neck_pivot_px=[1.0, 2.0]), "$.subject.neck_pivot_px"),
        (lambda m: m["subject"].update(focal_px=1e9), "$.subject.focal_px"),
        (lambda m: m["controls"].update(vocabulary="vrm"), "$.controls.vocabulary"),
        (lambda m: m["controls"]["gain"].update(jawOpen=9.0), "$.controls.gain.jawOpen"),
        (lambda m: m["controls"].update(extra=["breath", "breath"]), "$.controls.extra"),
        (lambda m: m["rig"].update(shapes=[]), "$.rig.shapes"),
        (lambda m: m["rig"].update(shapes=["close"] * 6), "$.rig.shapes"),
        (lambda m: m["rig"]["meshes"][1].update(name="a/b"), "$.rig.meshes[1].name"),
        (lambda m: m["rig"]["meshes"][1].update(name="body"), "$.rig.meshes"),
        (lambda m: m["rig"]["meshes"][0].update(vertices=2), "$.rig.meshes[0].vertices"),
        (lambda m: m["rig"]["meshes"][0].update(cell_px=0), "$.rig.meshes[0].cell_px"),
        (lambda m: m["rig"]["slits"][0].update(mesh="nose"), "$.rig.slits[0].mesh"),
        (lambda m: m["rig"]["slits"][0].update(name="lid_l"), "$.rig.slits"),
        (lambda m: m["layers"][0].update(role="skin"), "$.layers"),
        (lambda m: m["layers"].pop(0), "$.layers"),
        (lambda m: m["layers"][0].update(image="../plate.webp"), "$.layers[0].image"),
        (lambda m: m["layers"][0].update(size=[64, 80, 3]), "$.layers[0].size"),
        (lambda m: m["layers"][0].update(size=[4097, 80]), "$.layers[0].size[0]"),
        (lambda m: m["layers"][0].update(alpha=0), "$.layers[0].alpha"),
        (lambda m: m["idle"].update(blink_per_min=-1.0), "$.idle.blink_per_min"),
        (lambda m: m["licence"].update(credit="maybe"), "$.licence.credit"),
        (lambda m: m["consent"].update(subject="friend"), "$.consent.subject"),
        (lambda m: m.update(created="yesterday"), "$.created"),
        (lambda m: m.update(ext=[]), "$.ext"),
        (lambda m: m["disclosure"].update(show="never"), "$.disclosure.show"),
    ],
)
def test_a_manifest_that_does_not_fit_names_the_json_path(
    tiny: bytes, change: Change, where: str
) -> None:
    fault = refusal(with_manifest(tiny, change))
    assert isinstance(fault, AvatarCorruptError)
    assert (fault.code, fault.rule, fault.where) == ("E_MANIFEST", "V11", where)


def test_what_must_be_understood_and_is_not_is_unsupported(tiny: bytes) -> None:
    fault = refusal(with_manifest(tiny, lambda m: m["requires"].append("net.gan/1")))
    assert isinstance(fault, AvatarUnsupportedError)
    assert (fault.code, fault.rule) == ("E_REQUIRES", "V12")
    assert "net.gan/1" in str(fault)


def test_what_may_be_lacking_is_ignored(tiny: bytes) -> None:
    content = with_manifest(tiny, lambda m: m["uses"].append("hair.springs/3"))
    assert read_avatar(content, avatar_id="tiny").manifest["uses"][-1] == "hair.springs/3"


@pytest.mark.parametrize("kind", ["video", "calibration"])
def test_kinds_that_are_not_drawn_here_are_unsupported(tiny: bytes, kind: str) -> None:
    fault = refusal(with_manifest(tiny, lambda m: m.update(kind=kind)))
    assert isinstance(fault, AvatarUnsupportedError)
    assert kind in str(fault)


def test_a_named_entry_has_to_exist(tiny: bytes) -> None:
    fault = refusal(with_entry(tiny, "tex/tongue.png", None))
    assert (fault.code, fault.rule, fault.where) == ("E_REFERENCE", "V13", "tex/tongue.png")


def test_an_entry_has_to_be_named(tiny: bytes) -> None:
    fault = refusal(with_entry(tiny, "tex/spare.png", b"x"))
    assert (fault.code, fault.rule, fault.where) == ("E_REFERENCE", "V13", "tex/spare.png")


def test_an_entry_is_named_once(tiny: bytes) -> None:
    def change(m: Json) -> None:
        m["layers"][-1]["image"] = m["layers"][-2]["image"]

    assert refusal(with_manifest(tiny, change)).code == "E_REFERENCE"


def test_an_entry_has_to_be_of_the_right_media_type(tiny: bytes) -> None:
    def change(rows: list[Json]) -> None:
        for row in rows:
            if row["path"] == "tex/skin.webp":
                row["type"] = "video/h264"

    fault = refusal(with_index(tiny, change))
    assert (fault.code, fault.rule, fault.where) == ("E_REFERENCE", "V13", "tex/skin.webp")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("host_bytes", 100),
        ("host_bytes", 2**30 + 1),
        ("device_bytes", 100),
        ("device_bytes", 2**28 + 1),
        ("image_pixels", 100),
        ("image_pixels", 64_000_001),
        ("video_frames", 3001),
    ],
)
def test_promises_lie_between_need_and_limit(tiny: bytes, key: str, value: int) -> None:
    fault = refusal(with_manifest(tiny, lambda m: m["resources"].update({key: value})))
    assert (fault.code, fault.rule, fault.where) == ("E_RESOURCE", "V14", f"$.resources.{key}")


def test_announced_arrays_count_before_any_of_them_is_read(tiny: bytes) -> None:
    def change(m: Json) -> None:
        m["rig"]["shapes"] = [f"s{i}" for i in range(256)]
        m["rig"]["meshes"][0].update(vertices=2**17)

    fault = refusal(with_manifest(tiny, change))
    assert (fault.code, fault.where) == ("E_RESOURCE", "$.resources.host_bytes")


def test_the_example_manifest_has_every_key_of_the_schema(tiny: bytes) -> None:
    import json

    from avatar_worker.avatars.format.schema import Manifest

    assert set(json.loads(parts(tiny)["manifest.json"])) == set(Manifest.model_fields)
