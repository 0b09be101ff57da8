"""Foreign bytes are decoded in a child: it answers, or it ends with an error of ours."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from struct import pack

import numpy as np
import pytest

from avatar_worker.avatars.builder.picture import MAX_PIXELS, read_picture
from avatar_worker.avatars.confined import ConfinedError, Limits, call_confined
from avatar_worker.avatars.format.images import PNG, encode
from avatar_worker.avatars.format.reader import content_id_of, read_avatar
from avatar_worker.errors import AvatarCorruptError, AvatarError, AvatarRefusedError
from fakes import hostile_decoders as hostile

BRIEFLY = Limits(cpu_s=1, wall_s=30.0)


def test_a_child_answers_with_what_the_function_returns() -> None:
    assert call_confined(hostile.fair, b"12345", "a", "b c") == "5 a b c"
    content = bytes(range(24))
    found = call_confined(hostile.picture, content)
    assert found.shape == (2, 4, 3)
    assert found.tobytes() == content
    found[0] = 0  # the caller's own


def test_errors_of_ours_come_through_as_they_were() -> None:
    with pytest.raises(AvatarRefusedError, match="there is no face") as refused:
        call_confined(hostile.refusing, b"")
    assert refused.value.code == "no_face"
    with pytest.raises(AvatarCorruptError, match="it is damaged") as corrupt:
        call_confined(hostile.corrupt, b"", "maya")
    error = corrupt.value
    assert (error.avatar_id, error.code, error.rule, error.where) == (
        "maya", "E_IMAGE", "V20", "tex/x.png",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (hostile.hungry, "too much memory"),
        (hostile.endless, "too much processor time"),
        (hostile.crashing, "broke the decoder"),
        (hostile.confused, "broke the decoder"),
    ],
)
def test_a_child_that_dies_is_an_error_with_a_sentence(function: object, sentence: str) -> None:
    with pytest.raises(ConfinedError, match=sentence):
        call_confined(function, b"x", limits=BRIEFLY)  # type: ignore[type-var]
    assert call_confined(hostile.fair, b"x") == "1 "


def test_a_child_that_only_waits_is_ended_by_the_clock() -> None:
    with pytest.raises(ConfinedError, match="too long"):
        call_confined(hostile.asleep, b"", limits=Limits(wall_s=2.0))


def test_an_answer_is_bounded() -> None:
    with pytest.raises(ConfinedError):
        call_confined(hostile.talkative, b"", limits=Limits(answer_bytes=2**20))


def test_there_is_nothing_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "canary")
    monkeypatch.setenv("AVATAR_WORKER_API_KEYS", "canary")
    assert call_confined(hostile.thief, b"") == ""
    assert not Path("/tmp/written-by-a-thief").exists()
    # A control: outside the child the same function gets hold of everything.
    assert {"file", "socket", "AVATAR_WORKER_API_KEYS"} <= set(hostile.thief(b"").split())
    Path("/tmp/written-by-a-thief").unlink()


def test_a_photo_is_the_same_decoded_in_a_child() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    content = encode(pixels, PNG)
    assert np.array_equal(call_confined(read_picture, content), read_picture(content))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that unfolds to width x height x 4 bytes."""
    engine = zlib.compressobj(9)
    line = bytes(1 + 4 * width)
    data = b"".join([engine.compress(line) for _ in range(height)]) + engine.flush()
    head = pack(">2I5B", width, height, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_a_bomb_is_refused_by_the_size_that_it_announces() -> None:
    side = int(MAX_PIXELS**0.5) + 1
    head = bomb(16, 16)
    large = head[:16] + pack(">2I", side, side) + head[24:]
    with pytest.raises(AvatarRefusedError) as caught:
        call_confined(read_picture, large)
    assert caught.value.code == "large_picture"


def test_a_bomb_of_bearable_size_stays_within_the_childs_memory() -> None:
    content = bomb(4000, 3000)
    assert len(content) < 200_000
    with pytest.raises(AvatarError):
        call_confined(read_picture, content, limits=Limits(memory_bytes=24 * 2**20))
    assert call_confined(read_picture, content).shape == (3000, 4000, 3)


def test_an_avatar_is_checked_in_a_child_as_it_is_here(tiny: bytes) -> None:
    wanted = read_avatar(tiny, avatar_id="tiny").content_id
    assert call_confined(content_id_of, tiny, "tiny") == wanted
    with pytest.raises(AvatarCorruptError) as caught:
        call_confined(content_id_of, tiny[:-1], "tiny")
    assert caught.value.rule == "V3"


def test_a_child_leaves_nothing_behind() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    for _ in range(3):
        with pytest.raises(ConfinedError):
            call_confined(hostile.crashing, b"")
    assert descriptors() == before
