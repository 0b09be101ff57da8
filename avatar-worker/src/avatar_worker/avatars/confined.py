"""Decode foreign bytes in a child process that has little to lose and little to take.

The child may use so much memory, processor time and time, opens no file and no socket, writes
nothing but its answer, and knows no environment variable of ours. If it dies, the caller gets an
error and goes on. Photos and files that somebody sent are read there (see docs/operations.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from avatar_worker.errors import AvatarError, AvatarRefusedError

from . import confined_child as child

Answer = TypeVar("Answer", npt.NDArray[np.uint8], str)

_KEPT: Final = ("PATH", "SYSTEMROOT", "TMPDIR", "LANG", "LC_ALL")


class ConfinedError(AvatarError):
    """The child ran into a limit or died; the file is at fault."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take.

    Attributes:
        memory_bytes: Beyond what the interpreter and its libraries take.
        cpu_s: Processor time after start-up, seconds.
        wall_s: Time in all, start-up included, seconds.
        answer_bytes: The longest answer.
    """

    memory_bytes: int = 2 * 2**30
    cpu_s: int = 20
    wall_s: float = 60.0
    answer_bytes: int = 256 * 2**20


def call_confined(
    function: Callable[..., Answer], content: bytes, *more: str, limits: Limits | None = None
) -> Answer:
    """Return `function(content, *more)`, called in a child.

    Args:
        function: A function of a module, found there by its name.
        content: What somebody sent.
        more: What else it is given.
        limits: `None` for the usual ones.

    Raises:
        ConfinedError: If the child died or ran into a limit.
        AvatarError: What the function raised: an `AvatarRefusedError` or `AvatarFileError` as such.
    """
    bounds = limits or Limits()
    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        question.write(content)
        question.seek(0)
        order = {"module": function.__module__, "name": function.__name__, "more": more}
        code = _run({**order, **asdict(bounds)}, bounds.wall_s, question, answer)
        answer.seek(0)
        line = answer.readline(2**16)
        if code != 0 or not line.endswith(b"\n"):
            raise ConfinedError(_reason(code))
        return cast(Answer, _answer(json.loads(line), answer))


def _run(
    order: Mapping[str, object], wall_s: float, question: IO[bytes], answer: IO[bytes]
) -> int | None:
    """Run the child to its end. Returns its exit code; None if it took too long."""
    # Not the caller's environment: it may hold keys.
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **child.ONE_THREAD}
    command = [sys.executable, "-P", "-m", child.__name__, json.dumps(order)]
    with subprocess.Popen(
        command, stdin=question, stdout=answer, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            return process.wait(wall_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return None


def _answer(head: dict[str, Any], answer: IO[bytes]) -> npt.NDArray[np.uint8] | str:
    if "shape" in head:
        shape = tuple(int(side) for side in head["shape"])
        return np.frombuffer(answer.read(), np.uint8).reshape(shape).copy()
    if "text" in head:
        return str(head["text"])
    if head.get("kind") == "refused":
        raise AvatarRefusedError(head["code"], head["message"])
    if head.get("kind") == "file":
        raise child.FILE_ERRORS[head["error"]](
            head["avatar_id"], head["code"], head["rule"], head["where"], head["message"]
        )
    raise ConfinedError(f"it cannot be read: {head.get('message', 'no reason was given')}")


def _reason(code: int | None) -> str:
    if code is None:
        return "it takes too long to read"
    if code == child.OUT_OF_MEMORY:
        return "it takes too much memory to read"
    if code in child.OUT_OF_TIME:
        return "it takes too much processor time to read"
    return "reading it broke the decoder"
