"""Child processes that end with us, and whose last lines can be read.

Each runs in a session of its own, so that Ctrl-C in the terminal reaches only us and we end the
children in order. Where `setpriv` exists (Linux), the kernel ends them should we be killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import IO

KEPT_LINES = 400
BETWEEN_ASKS_S = 0.3


class Child:
    """A running child process. Made by `start_child`."""

    def __init__(self, process: subprocess.Popen[str], output: IO[str], name: str) -> None:
        self._process = process
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._news = threading.Condition()
        self._at_end = False
        # A thread and not a task: the pipe must be emptied while no event loop runs, or the
        # child blocks on a full one.
        self._reader = threading.Thread(
            target=self._read, args=(output,), name=f"output of {name}", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id, also the id of its process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, negative after a signal, None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> bool:
        """Wait at most so long; whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self._process.returncode is not None

    def wait_for_line(self, wanted: str, timeout_s: float) -> bool:
        """Wait until this line has been printed; False when the time is over or the child ended."""
        with self._news:
            self._news.wait_for(lambda: wanted in self._lines or self._at_end, timeout_s)
            return wanted in self._lines

    def tail(self, lines: int) -> str:
        """The last lines that it printed, stdout and stderr together."""
        if self.returncode is not None:
            self._reader.join(timeout=1.0)
        with self._news:
            return "\n".join(list(self._lines)[-lines:])

    def stop(self, *, asks: int = 1, grace_s: float = 10.0) -> None:
        """Ask it to end with SIGTERM, end its whole group when it does not. Idempotent.

        Args:
            asks: how often to ask; some servers drain on the first signal and end on the second.
            grace_s: how long to wait after the last one.
        """
        for left in reversed(range(asks)):
            if self._process.poll() is None:
                self._process.terminate()
                self.wait(BETWEEN_ASKS_S if left else grace_s)
        # The group may outlive its leader: compilers under `go`, helpers of a browser.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(timeout=1.0)

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                with self._news:
                    self._lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._at_end = True
            self._news.notify_all()


def start_child(
    command: Sequence[str], *, env: Mapping[str, str], name: str, with_us: bool = True
) -> Child:
    """Start a process with stdout and stderr in one bounded buffer and no stdin.

    Args:
        command: program and arguments.
        env: its whole environment.
        name: for the name of the reading thread.
        with_us: let the kernel end it when the calling thread dies, where it can.
    """
    tether = shutil.which("setpriv") if with_us else None
    process = subprocess.Popen(
        [*((tether, "--pdeathsig", "TERM", "--") if tether else ()), *command],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    output = process.stdout
    if output is None:  # cannot be: PIPE was asked for
        raise RuntimeError("no pipe")
    return Child(process, output, name)
