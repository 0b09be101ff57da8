"""The specification in docs/avatar-format.md says what the code does."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

from avatar_worker.avatars import format as package
from avatar_worker.avatars.format import (
    container,
    images,
    manifest,
    portrait,
    reader,
    schema,
    tensors as tensors_module,
)
from avatar_worker.avatars.format.manifest import check_version, validate
from avatar_worker.avatars.format.portrait import expected_tensors

TEXT = (Path(__file__).parents[3] / "docs" / "avatar-format.md").read_text(encoding="utf-8")


def example() -> dict[str, object]:
    block = next(b for b in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL) if "hvia" in b)
    parsed: dict[str, object] = json.loads(block)
    return parsed


def test_the_example_manifest_is_valid() -> None:
    assert check_version(example()) is False
    assert validate(example(), newer_minor=False).name == "Maya"


def test_the_example_shows_every_key() -> None:
    assert set(example()) == set(schema.Manifest.model_fields)


def test_every_tensor_is_documented() -> None:
    model = validate(example(), newer_minor=False)
    names = {
        name.replace("body/", "MESH/").replace("mouth/", "") for name in expected_tensors(model)
    }
    for name in names:
        plain = name.removeprefix("MESH/")
        assert re.search(rf"`(MESH/|SLIT/)?{plain}`", TEXT), name


def test_every_code_and_rule_of_the_reader_is_documented() -> None:
    rows = dict(re.findall(r"^\| (V\d+) \|.*\| (.+) \|$", TEXT, re.MULTILINE))
    source = "".join(
        inspect.getsource(module)
        for module in (container, images, manifest, portrait, reader, tensors_module)
    )
    raised = set(re.findall(r'"(E_[A-Z]+)", "(V\d+)"', source))
    assert len(raised) >= 20
    for code, rule in raised - {("E_READ", "V1")}:
        assert code in rows[rule], (code, rule)


def test_every_media_type_is_documented() -> None:
    for suffix in (".json", ".webp", ".png", ".safetensors"):
        assert f"`{container.MEDIA_TYPES[suffix]}`" in TEXT


def test_the_public_names_are_these() -> None:
    assert package.__all__ == ["Policy", "pack_avatar", "read_avatar", "write_avatar"]
