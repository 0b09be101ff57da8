from __future__ import annotations

import pytest

from avatar_worker.avatars.format import pack_avatar
from fakes.avatars import tiny_avatar


@pytest.fixture(scope="session")
def tiny() -> bytes:
    """A sound file."""
    return pack_avatar(tiny_avatar())
