"""The child of `confined`: gives up what it may, then calls one function with what is on its input."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import signal
import sys
from typing import Any, Final

from avatar_worker.errors import (
    AvatarCorruptError,
    AvatarError,
    AvatarFileError,
    AvatarRefusedError,
    AvatarUnsupportedError,
)

resource: Any = importlib.import_module("resource") if os.name == "posix" else None
"""Elsewhere the parent's clock is the only limit."""

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
OUT_OF_MEMORY: Final = 12
OUT_OF_TIME: Final = (-int(getattr(signal, "SIGXCPU", 0)), -int(getattr(signal, "SIGKILL", 0)))
FILE_ERRORS: Final[dict[str, type[AvatarFileError]]] = {
    kind.__name__: kind for kind in (AvatarCorruptError, AvatarUnsupportedError)
}

_NEW_NAMESPACES: Final = 0x10000000 | 0x40000000  # CLONE_NEWUSER | CLONE_NEWNET
_NO_NEW_PRIVILEGES: Final = 38  # PR_SET_NO_NEW_PRIVS


def main() -> None:
    """Read the order, import, confine, call, answer."""
    order = json.loads(sys.argv[1])
    leave_network()
    function = getattr(importlib.import_module(order["module"]), order["name"])
    _one_thread_in_opencv()
    content = sys.stdin.buffer.read()
    confine(order["memory_bytes"], order["cpu_s"], order["answer_bytes"])
    try:
        head, body = _said(function(content, *order["more"]))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except AvatarError as error:
        head, body = _raised(error), b""
    out = sys.stdout.buffer
    out.write(json.dumps(head).encode() + b"\n")
    out.write(body)
    out.flush()


def leave_network() -> None:
    """Move into a network of one's own, where the system lets anybody do so."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.unshare(_NEW_NAMESPACES)  # where it is forbidden, no new descriptor is still no socket


def confine(memory_bytes: int, cpu_s: int, answer_bytes: int) -> None:
    """Set limits that cannot be lifted again. What is open stays open."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    _limit("RLIMIT_AS", _mapped_bytes() + memory_bytes)
    _limit("RLIMIT_CPU", spent + cpu_s)
    _limit("RLIMIT_FSIZE", answer_bytes)
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_NPROC", 0)
    # Neither a file nor a socket can be had without a new descriptor.
    _limit("RLIMIT_NOFILE", 0)


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, name, None)
    if kind is None:
        return
    _, most = resource.getrlimit(kind)
    least = value if most == resource.RLIM_INFINITY else min(value, most)
    # macOS refuses some limits that it does not enforce.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (least, least))


def _mapped_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**33


def _one_thread_in_opencv() -> None:
    opencv: Any = sys.modules.get("cv2")
    if opencv is not None:
        opencv.setNumThreads(1)


def _said(result: Any) -> tuple[dict[str, Any], bytes]:
    if isinstance(result, str):
        return {"text": result}, b""
    return {"shape": list(result.shape)}, result.tobytes()


def _raised(error: AvatarError) -> dict[str, Any]:
    head: dict[str, Any] = {"kind": "other", "message": str(error)}
    if isinstance(error, AvatarRefusedError):
        head |= {"kind": "refused", "code": error.code}
    elif isinstance(error, AvatarFileError):
        head |= {"kind": "file", "error": type(error).__name__, "avatar_id": error.avatar_id}
        head |= {"code": error.code, "rule": error.rule, "where": error.where}
    return head


if __name__ == "__main__":
    main()
