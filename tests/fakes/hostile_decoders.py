"""What a decoder might do that met the wrong file. Called in a child by name."""

from __future__ import annotations

import os
import socket
import time

import numpy as np
import numpy.typing as npt

from avatar_worker.errors import AvatarCorruptError, AvatarRefusedError


def fair(content: bytes, *more: str) -> str:
    """Does what it should."""
    return f"{len(content)} {' '.join(more)}"


def picture(content: bytes) -> npt.NDArray[np.uint8]:
    """A picture of the content's own bytes."""
    return np.frombuffer(content, np.uint8).reshape(2, -1, 3)


def hungry(content: bytes) -> str:
    """Takes eight times as much memory as anybody gives it, and uses it."""
    return str(len(b"x" * (16 * 2**30)))


def endless(content: bytes) -> str:
    """Thinks for ever."""
    while True:
        pass


def asleep(content: bytes) -> str:
    """Waits for ever, without any work."""
    time.sleep(3600)
    return ""


def crashing(content: bytes) -> str:
    """Dies as native code does."""
    os.abort()


def talkative(content: bytes) -> npt.NDArray[np.uint8]:
    """Answers with far more than was asked for."""
    return np.zeros(64 * 2**20, np.uint8)


def thief(content: bytes) -> str:
    """Looks for a file, a socket, a program and a secret."""
    got = []
    for name, attempt in (
        ("file", lambda: open("/etc/hostname").close()),
        ("socket", lambda: socket.socket().close()),
        ("program", lambda: os.system("true") and 1 / 0),
        ("written", lambda: open("/tmp/written-by-a-thief", "w").close()),
    ):
        try:
            attempt()
        except (OSError, ArithmeticError):
            continue
        got.append(name)
    got += [name for name in os.environ if "KEY" in name or "SECRET" in name]
    return " ".join(got)


def refusing(content: bytes) -> str:
    """Says why not."""
    raise AvatarRefusedError("no_face", "there is no face")


def corrupt(content: bytes, avatar_id: str) -> str:
    """Names a rule."""
    raise AvatarCorruptError(avatar_id, "E_IMAGE", "V20", "tex/x.png", "it is damaged")


def confused(content: bytes) -> str:
    """Has a bug."""
    raise KeyError("surprise")
