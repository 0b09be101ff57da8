"""`avatars build` as a person calls it, from a photo to a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from avatar_worker.avatars.builder.models import download_models
from avatar_worker.avatars.format import read_avatar
from avatar_worker.cli.main import app
from fakes.portraits import ACTOR, built


@pytest.fixture(autouse=True)
def _models() -> None:
    download_models()


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["avatars", *arguments])


def test_a_photo_becomes_an_avatar_that_is_listed_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_WORKER_AVATARS", str(tmp_path))
    out = tmp_path / "actor.hvia"
    done = command("build", str(ACTOR), "--out", str(out), "--name", "The actor", "--synthetic")
    assert done.exit_code == 0, done.output
    assert str(out) in done.output.replace("\n", "")
    assert "pixels wide" in done.output, "the photo's scores are told"
    assert "look at the preview" in done.output
    assert command("verify", str(out)).exit_code == 0
    assert "actor" in command("list").output

    avatar = read_avatar(out.read_bytes(), avatar_id="actor")
    assert avatar.manifest["consent"] == {"subject": "synthetic"}
    [source] = avatar.manifest["provenance"]["sources"]
    assert source["sha256"] == hashlib.sha256(ACTOR.read_bytes()).hexdigest()
    for ours, theirs in zip(avatar.rig.meshes, built("actor").rig.meshes, strict=True):
        np.testing.assert_array_equal(ours.delta, theirs.delta)
