"""The doctor's questions, one function each."""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from avatar_worker.avatars.library import AvatarEntry, AvatarLibrary
from avatar_worker.config import Settings, is_loopback, read_settings, usable_cores
from avatar_worker.errors import ConfigError, DeviceError
from avatar_worker.room.door import SpeechFrom

PYTHON: Final = ((3, 11), (3, 15))
GOOD_SECRET: Final = 32  # what HMAC-SHA256 asks for
SDKS: Final = ("livekit-agents", "livekit", "livekit-api")
WEIGHTS: Final = Path(__file__).parents[1] / "assets" / "weights"


class Level(StrEnum):
    """How a finding is meant."""

    GOOD = "good"
    NOTE = "note"
    """Something is missing that this machine can serve without."""
    OPEN = "open"
    """A default that denies was opened, and by which setting."""
    BAD = "bad"
    """It cannot serve."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer: about what, how it is meant, what is the case, what to do."""

    topic: str
    level: Level
    says: str
    remedy: str | None = None


def examine(*, port: int | None = None) -> list[Finding]:
    """Ask every question. Settings that cannot be read are a finding too."""
    found = [*_python(), *_sdk()]
    try:
        settings = read_settings(port=port)
    except ConfigError as error:
        return [*found, Finding("settings", Level.BAD, str(error), "correct it, then run again")]
    for question in (_livekit, _device, _avatars, _models, _port, _opened):
        found += question(settings)
    return found


def _python() -> Iterator[Finding]:
    lowest, beyond = PYTHON
    says = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if lowest <= sys.version_info[:2] < beyond:
        yield Finding("python", Level.GOOD, f"{says}, {usable_cores()} cores")
    else:
        remedy = f"use Python {lowest[0]}.{lowest[1]} to {beyond[0]}.{beyond[1] - 1}"
        yield Finding("python", Level.BAD, says, remedy)


def _sdk() -> Iterator[Finding]:
    versions = []
    for package in SDKS:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            remedy = "install the worker again: pip install avaluma-avatar-worker"
            yield Finding("sdk", Level.BAD, f"{package} is not installed", remedy)
            return
    yield Finding("sdk", Level.GOOD, ", ".join(versions))


def _livekit(settings: Settings) -> Iterator[Finding]:
    if not settings.livekit_url:
        says = "LIVEKIT_URL is not set, so jobs cannot be dispatched to this worker"
        remedy = "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, or start over HTTP only"
        yield Finding("livekit", Level.NOTE, says, remedy)
        return
    key, secret = settings.livekit_api_key, settings.livekit_api_secret
    if not key or not secret:
        says = "LIVEKIT_URL is set without LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
        yield Finding("livekit", Level.BAD, says, "set both, as the LiveKit server knows them")
        return
    from avatar_worker.room.probe import probe

    shown = settings.livekit_url.split("?")[0].rpartition("@")[2]
    answer = asyncio.run(probe(settings.livekit_url, key, secret.get_secret_value()))
    if answer.authorised:
        yield Finding("livekit", Level.GOOD, f"{shown} answers and knows our key")
        if len(secret.get_secret_value()) < GOOD_SECRET:
            says = f"LIVEKIT_API_SECRET is shorter than {GOOD_SECRET} characters"
            yield Finding("livekit", Level.NOTE, says, "fine for development, too weak elsewhere")
    elif answer.reachable:
        says = f"{shown} answers, but {answer.fault}"
        yield Finding("livekit", Level.BAD, says, "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
    else:
        remedy = "check LIVEKIT_URL, or start one here: livekit-server --dev --bind 127.0.0.1"
        yield Finding("livekit", Level.BAD, f"{shown} cannot be used: {answer.fault}", remedy)


def _device(settings: Settings) -> Iterator[Finding]:
    yield _drawn_by(settings)
    yield Finding("sessions", Level.GOOD, f"at most {settings.max_sessions} at a time")


def _drawn_by(settings: Settings) -> Finding:
    from avatar_worker.render.cuda import Driver

    cards = ", ".join(_cards())
    try:
        driver = Driver()
    except DeviceError as error:
        if settings.renderer == "cuda":
            remedy = "install NVIDIA's driver, or set AVATAR_WORKER_RENDERER to auto"
            return Finding("gpu", Level.BAD, f"it was asked for, but {error}", remedy)
        if not cards:
            return Finding("gpu", Level.NOTE, "there is none; faces are drawn by the CPU")
        return Finding("gpu", Level.NOTE, f"{cards}; faces are drawn by the CPU: {error}")
    if settings.renderer not in ("auto", "cuda"):
        return Finding("gpu", Level.NOTE, f"{driver.name}; not used (AVATAR_WORKER_RENDERER)")
    return Finding("gpu", Level.GOOD, f"{cards or driver.name}; it draws the faces")


def _cards() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run(
            [program, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [
        line.strip() for line in done.stdout.splitlines() if line.strip() and not done.returncode
    ]


def _avatars(settings: Settings) -> Iterator[Finding]:
    found = AvatarLibrary(settings.avatars).list()
    usable = [entry for entry in found if entry.ok]
    yield from (_refused(entry) for entry in found if not entry.ok)
    looked_in = ", ".join(map(str, settings.avatars))
    if usable:
        yield Finding("avatars", Level.GOOD, ", ".join(entry.id for entry in usable))
    else:
        remedy = "make one: avatar-worker avatars build photo.jpg -o assets/avatars/me.hvia"
        yield Finding("avatars", Level.BAD, f"there is none in {looked_in}", remedy)
    wanted = settings.default_avatar
    if wanted is not None and wanted not in [entry.id for entry in usable]:
        remedy = "correct AVATAR_WORKER_DEFAULT_AVATAR or AVATAR_WORKER_AVATARS"
        yield Finding("avatars", Level.BAD, f"the default avatar {wanted!r} is not there", remedy)


def _refused(entry: AvatarEntry) -> Finding:
    says = f"{entry.path.name} is refused: {entry.message} ({entry.code})"
    return Finding("avatars", Level.NOTE, says, "build it again, or take it out of the folder")


def _models(settings: Settings) -> Iterator[Finding]:
    weights = sorted(WEIGHTS.glob("*.onnx")) if WEIGHTS.is_dir() else []
    if weights:
        yield Finding("models", Level.GOOD, f"voice to face: {weights[-1].name}")
    else:
        remedy = "install the worker again; its wheel carries them"
        yield Finding("models", Level.BAD, "the voice-to-face weights are missing", remedy)
    from avatar_worker.avatars.builder.models import model_path

    try:
        model_path()
    except ConfigError as error:
        says = f"avatars cannot be built here: {error}"
        yield Finding("models", Level.NOTE, says, "avatar-worker download-files")
    else:
        yield Finding("models", Level.GOOD, "face landmarks, for building avatars")


def _port(settings: Settings) -> Iterator[Finding]:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError:
        says = f"{settings.port} on {settings.host} is taken"
        remedy = "stop what holds it, or choose another with --port or AVATAR_WORKER_PORT"
        yield Finding("port", Level.BAD, says, remedy)
    else:
        yield Finding("port", Level.GOOD, f"{settings.port} on {settings.host} is free")


def _opened(settings: Settings) -> Iterator[Finding]:
    """Every default that denies and was opened, with the setting that did it."""
    if not is_loopback(settings.host):
        says = f"the worker listens beyond this machine (AVATAR_WORKER_HOST={settings.host})"
        yield Finding("opened", Level.OPEN, says)
    if settings.speech_from is SpeechFrom.ANY:
        says = (
            "over HTTP anybody in a room may speak through the avatar (AVATAR_WORKER_SPEECH_FROM)"
        )
        yield Finding("opened", Level.OPEN, says)
    if settings.dispatch_speech_from in (SpeechFrom.UNTIL_AGENT, SpeechFrom.ANY):
        says = (
            "in dispatched sessions others than agents may speak through the avatar "
            "(AVATAR_WORKER_DISPATCH_SPEECH_FROM)"
        )
        yield Finding("opened", Level.OPEN, says)
    if settings.livekit_hosts:
        says = (
            f"requests may name {', '.join(settings.livekit_hosts)} (AVATAR_WORKER_LIVEKIT_HOSTS)"
        )
        yield Finding("opened", Level.OPEN, says)
    if settings.hear_caller:
        says = "avatars may listen to their agent's caller (AVATAR_WORKER_HEAR_CALLER)"
        yield Finding("opened", Level.OPEN, says)
    if settings.metrics_networks:
        networks = ", ".join(map(str, settings.metrics_networks))
        says = f"{networks} may read /metrics (AVATAR_WORKER_METRICS_NETWORKS)"
        yield Finding("opened", Level.OPEN, says)
    if settings.log_personal:
        says = "logs show identities and room names in clear (AVATAR_WORKER_LOG_PERSONAL)"
        yield Finding("opened", Level.OPEN, says)
