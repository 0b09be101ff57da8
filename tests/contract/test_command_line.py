"""The command line as a process: exit codes, signals, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from avatar_worker.cli import main; main()"]


def environment(**more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AVATAR_WORKER_", "LIVEKIT_"))
    }
    return {**kept, "NO_COLOR": "1", **more}


def run(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env=environment(**more),
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "more", "code"),
    [
        (("start",), {"AVATAR_WORKER_PORT": "eighty"}, 78),
        (("start",), {"AVATAR_WORKER_API_KEYS": "CHANGE_THIS"}, 78),
        (("start",), {"AVATAR_WORKER_HOST": "0.0.0.0"}, 78),
        (("start",), {"AVATAR_WORKER_NONSENSE": "1"}, 78),
        (("start",), {"AVATAR_WORKER_LOOK_AHEAD_MS": "60"}, 78),
        (("bench", "render"), {}, 78),
        (("render", "none.wav", "-o", "x.mp4"), {}, 78),
        (("avatars", "inspect", "nobody"), {}, 1),
        (("avatars", "verify", "nobody.hvia"), {}, 1),
        (("start", "--no-such-flag"), {}, 2),
    ],
)
def test_a_failure_is_a_sentence_on_stderr_and_the_right_code(
    arguments: tuple[str, ...], more: dict[str, str], code: int, tmp_path: Path
) -> None:
    done = run(*arguments, cwd=tmp_path, **more)
    assert done.returncode == code
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stdout == ""
    if code != 2:
        assert done.stderr.startswith("avatar-worker: ")
        assert done.stderr.count("\n") == 1


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run("--debug", "bench", "render", cwd=tmp_path)
    assert done.returncode == 1
    assert "ConfigError" in done.stderr


def test_help_imports_no_heavy_room(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from avatar_worker.cli.main import run\n"
        "run(['--help'])\n"
        "heavy = {'numpy', 'cv2', 'numba', 'onnxruntime', 'livekit', 'aiohttp', 'pydantic'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_start_serves_until_a_signal_and_ends_with_0(
    number: signal.Signals, tmp_path: Path
) -> None:
    worker = subprocess.Popen(
        [*COMMAND, "start", "--port", "0", "--log-format", "json"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(),
    )
    try:
        assert worker.stderr is not None
        lines = []
        for line in worker.stderr:
            lines.append(line)
            if line.startswith("avatar-worker listens on http://127.0.0.1:"):
                break
        began = time.monotonic()
        worker.send_signal(number)
        assert worker.wait(20) == 0
        assert time.monotonic() - began < 15
        assert "Traceback" not in "".join(lines) + worker.stderr.read()
    finally:
        worker.kill()
        worker.wait()
        if worker.stderr is not None:
            worker.stderr.close()
