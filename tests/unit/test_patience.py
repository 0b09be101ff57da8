from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, strategies as st

from avatar_worker.server.patience import Patience

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Recorder(asyncio.Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class Line(asyncio.Transport):
    """A transport that only knows whether it was cut."""

    cut = False

    def abort(self) -> None:
        self.cut = True


async def test_everything_is_passed_on() -> None:
    inner = Recorder()
    patience = Patience(inner, 60.0)
    patience.connection_made(Line())
    patience.data_received(HEAD)
    patience.pause_writing()
    patience.resume_writing()
    assert patience.eof_received() is True
    patience.connection_lost(None)
    assert inner.told == ["made", HEAD, "pause", "resume", "eof", "lost"]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", HEAD[:-1], b"\r\n \r\n"])
async def test_without_the_end_of_the_headers_the_line_is_cut(sent: bytes) -> None:
    line, patience = Line(), Patience(Recorder(), 0.0)
    patience.connection_made(line)
    for number in range(len(sent)):
        patience.data_received(sent[number : number + 1])
    await asyncio.sleep(0.001)
    assert line.cut


@given(st.lists(st.integers(0, len(HEAD)), max_size=6).map(sorted))
def test_the_end_of_the_headers_is_found_however_they_are_cut(cuts: list[int]) -> None:
    async def main() -> None:
        line, patience = Line(), Patience(Recorder(), 0.0)
        patience.connection_made(line)
        for begin, end in zip([0, *cuts], [*cuts, len(HEAD)], strict=True):
            patience.data_received(HEAD[begin:end])
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        assert not line.cut

    asyncio.run(main())


async def test_a_line_that_ends_is_not_cut_later() -> None:
    line, patience = Line(), Patience(Recorder(), 0.0)
    patience.connection_made(line)
    patience.connection_lost(None)
    await asyncio.sleep(0.001)
    assert not line.cut
