"""Other releases of LiveKit's agents, to talk to: beside ours, never in place of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Each release needs exactly one of the SDK; the rest is what our own release does without.
BESIDE = {"1.8.0": ("livekit==1.1.17", "openai==2.54.0", "httpx==0.28.1", "distro==1.9.0")}


def agents_release(version: str) -> Path:
    """A folder for PYTHONPATH with this release, installed once into the cache.

    Only what differs is fetched, 16 MB in some seconds; the rest is taken from the environment.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "avaluma" / "releases" / f"livekit-agents-{version}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            _install(version, Path(place) / "new")
            (Path(place) / "new").replace(folder)
    return folder


def _install(version: str, target: Path) -> None:
    wanted = [f"livekit-agents=={version}", *BESIDE[version]]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", "--target", str(target), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        pytest.fail(f"pip could not fetch {' and '.join(wanted)}: {done.stderr[-500:]}", False)
