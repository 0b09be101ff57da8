"""A process of a measurement: takes commands by line on stdin, answers each with a line of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

Command = Callable[[Any], Awaitable[Any]]
ANSWER_WITHIN = 60.0


async def obey(commands: Mapping[str, Command]) -> None:
    """Answer commands until stdin ends."""
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        name, argument = json.loads(line)
        answer = await commands[name](argument)
        print(json.dumps(answer), flush=True)  # noqa: T201


class Child:
    """The other end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, name: str, argument: Any = None) -> Any:
        """Give a command and return its answer.

        Raises:
            RuntimeError: If the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, argument]).encode() + b"\n")
        async with asyncio.timeout(ANSWER_WITHIN):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process died at {name!r}")
        return json.loads(line)


@asynccontextmanager
async def run_child(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Run `python -m module` until the end of the block."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe
    )
    try:
        yield Child(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
