"""A livekit-server behind a link that loses packets, without root and without a network namespace.

The server tells everybody to send media and data to 127.0.0.2; a relay there passes the packets on
to 127.0.0.1 and back, and drops a share of those whose participant joined while the link was bad.
With ICE lite the server never speaks first, so nobody finds a way around.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from .own_server import OwnServer, own_server

OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"
Address = tuple[str, int]


@dataclass
class LossyLink:
    """`loss` holds for participants whose first packet comes from now on; 0 to 1."""

    server: OwnServer
    port: int
    loss: float = 0.0
    passed: int = 0
    """Packets of those who suffer loss that came through."""
    dropped: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(7))
    _ways: dict[Address, _Way] = field(default_factory=dict)
    _outside: asyncio.DatagramTransport | None = None

    def _drops(self, loss: float) -> bool:
        drop = loss > 0 and self._random.random() < loss
        self.passed += loss > 0 and not drop
        self.dropped += drop
        return drop

    def _from_outside(self, data: bytes, client: Address) -> None:
        way = self._ways.get(client)
        if way is None:
            way = self._ways[client] = _Way(self, client, self.loss)
        if not self._drops(way.loss):
            way.send(data)

    def _to_outside(self, data: bytes, way: _Way) -> None:
        if self._outside is not None and not self._drops(way.loss):
            self._outside.sendto(data, way.client)


class _Way(asyncio.DatagramProtocol):
    """One client's socket towards the server."""

    def __init__(self, link: LossyLink, client: Address, loss: float) -> None:
        self.link, self.client, self.loss = link, client, loss
        self._transport: asyncio.DatagramTransport | None = None
        self._early: list[bytes] = []
        self._opening = asyncio.create_task(self._open(), name="lossy link")

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self, remote_addr=(INSIDE, self.link.port)
        )
        self._transport = transport
        for data in self._early:
            transport.sendto(data)

    def send(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        else:
            self._transport.sendto(data)

    def datagram_received(self, data: bytes, address: Address) -> None:
        self.link._to_outside(data, self)

    def error_received(self, error: Exception) -> None:
        pass

    async def aclose(self) -> None:
        await self._opening
        assert self._transport is not None
        self._transport.close()


class _Outside(asyncio.DatagramProtocol):
    def __init__(self, link: LossyLink) -> None:
        self._link = link

    def datagram_received(self, data: bytes, address: Address) -> None:
        self._link._from_outside(data, address)

    def error_received(self, error: Exception) -> None:
        pass


@asynccontextmanager
async def lossy_link() -> AsyncIterator[LossyLink]:
    """Run a server of our own behind a relay; set `loss` before those join who shall suffer."""
    async with own_server(
        node_ip=OUTSIDE, use_ice_lite="true", tcp_port=0, ips="{includes: [127.0.0.1/32]}"
    ) as server:
        link = LossyLink(server, server.udp_port)
        loop = asyncio.get_running_loop()
        outside, _ = await loop.create_datagram_endpoint(
            lambda: _Outside(link), local_addr=(OUTSIDE, link.port)
        )
        link._outside = outside
        try:
            yield link
        finally:
            for way in link._ways.values():
                await way.aclose()
            outside.close()
