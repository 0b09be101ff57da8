from __future__ import annotations

import pytest

from fakes.memory_room import MemoryRoom, MemoryServer
from fakes.networks import Network
from livekit import rtc


@pytest.fixture(params=["memory", pytest.param("livekit", marks=pytest.mark.e2e)])
def network(request: pytest.FixtureRequest) -> Network:
    """Where a contract is kept: a room in memory, then one of the real livekit-server."""
    if request.param == "livekit":
        return Network(request.getfixturevalue("livekit_server"), rtc.Room)
    server = MemoryServer()
    return Network(server, lambda: MemoryRoom(server).as_room())
