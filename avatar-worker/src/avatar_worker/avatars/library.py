"""The avatars this worker can serve: every `.hvia` in its folders, and the demo avatar.

The served id is the file name without the suffix, case kept. Files may come, change and go while
the worker runs. A file that is refused is listed with its reason and hides no other.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Final

from avatar_worker.errors import (
    AvatarCorruptError,
    AvatarError,
    AvatarFileError,
    AvatarNotFoundError,
    AvatarRefusedError,
)

from .avatar import Avatar
from .format import Policy
from .format.fault import FormatFault
from .format.policy import check_rights
from .format.reader import load
from .format.schema import Manifest

SUFFIX: Final = ".hvia"
MAX_LOADED: Final = 32
"""Avatars kept in memory; the one that was used longest ago goes first."""

MAX_LISTED: Final = 1024

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class AvatarEntry:
    """One file of the library, usable or not.

    Attributes:
        id: The served id.
        path: The file.
        ok: Whether it can be used now.
        code: `E_...` if not, else empty.
        message: A sentence if not, else empty.
        title: The avatar's name; empty if unknown.
        size: Canvas width and height in pixels; zeros if unknown.
        fps: Frames per second; 0 if unknown.
        bytes: Size of the file.
        subject: `synthetic`, `public_domain`, `real_person` or `none`; empty if unknown.
        deny: Uses that the licence forbids.
        content_id: Hash of the content; empty if unknown.
    """

    id: str
    path: Path
    ok: bool
    code: str = ""
    message: str = ""
    title: str = ""
    size: tuple[int, int] = (0, 0)
    fps: int = 0
    bytes: int = 0
    subject: str = ""
    deny: tuple[str, ...] = ()
    content_id: str = ""


_Stamp = tuple[str, int, int, int]
"""Path, modification time in ns, size and inode: another stamp, another content."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    stamp: _Stamp
    avatar: Avatar
    model: Manifest


class AvatarLibrary:
    """Finds and opens avatars. Safe to use from several threads.

    Args:
        folders: Where the operator's files lie; a file in an earlier folder wins. A folder need
            not exist yet.
        policy: Which files may be used.
        packaged: Whether the avatars that come with the worker are served too. They yield to the
            operator's files of the same id.
    """

    def __init__(
        self,
        folders: Sequence[str | os.PathLike[str]],
        *,
        policy: Policy | None = None,
        packaged: bool = True,
    ) -> None:
        self._folders = tuple(Path(folder) for folder in folders)
        self._packaged = packaged
        self._policy = policy or Policy()
        self._lock = threading.Lock()
        self._loading: dict[_Stamp, threading.Lock] = {}
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._listed: dict[_Stamp, tuple[Manifest, str] | AvatarError] = {}

    def ids(self) -> tuple[str, ...]:
        """Return every id that a file stands for, sound or not, sorted."""
        return tuple(sorted(self._files()))

    def list(self) -> list[AvatarEntry]:
        """Return one entry a file, sorted by id. Reads only files that are new or changed."""
        files = self._files()
        clashes = _clashes(files)
        entries = [self._entry(avatar_id, path, clashes) for avatar_id, path in files.items()]
        return sorted(entries, key=lambda entry: entry.id)

    def open(self, avatar_id: str) -> Avatar:
        """Return an avatar, shared with everybody who opens the same content.

        Rights are checked anew each time: consent ends, and a running worker notices.

        Args:
            avatar_id: The file name without `.hvia`; case matters.

        Raises:
            AvatarNotFoundError: If no file has this id.
            AvatarUnsupportedError: If the file is foreign or too new.
            AvatarCorruptError: If it breaks a rule, or two ids differ only in case.
            AvatarRefusedError: If it may not be used.
        """
        files = self._files()
        # Looking the id up among names that exist leaves no way out of the folders.
        path = files.get(avatar_id)
        if path is None:
            raise AvatarNotFoundError(avatar_id, tuple(sorted(files)))
        if avatar_id in _clashes(files):
            raise _clash(avatar_id, path)
        stamp = _stamp(path)
        if stamp is None:
            raise AvatarNotFoundError(avatar_id, tuple(sorted(files)))
        loaded = self._load(avatar_id, path, stamp)
        self._check_rights(loaded, path)
        return loaded.avatar

    def _load(self, avatar_id: str, path: Path, stamp: _Stamp) -> _Loaded:
        """Read a file once, however many ask for it at the same time."""
        with self._lock:
            turn = self._loading.setdefault(stamp, threading.Lock())
        with turn:
            try:
                with self._lock:
                    there = self._loaded.get(avatar_id)
                    if there is not None and there.stamp == stamp:
                        self._loaded.move_to_end(avatar_id)
                        return there
                avatar, model = load(path, avatar_id=avatar_id, policy=self._policy)
                with self._lock:
                    loaded = _Loaded(stamp, self._shared(avatar), model)
                    self._loaded[avatar_id] = loaded
                    self._loaded.move_to_end(avatar_id)
                    while len(self._loaded) > MAX_LOADED:
                        self._loaded.popitem(last=False)
                return loaded
            finally:
                with self._lock:
                    self._loading.pop(stamp, None)

    def _shared(self, avatar: Avatar) -> Avatar:
        """One copy in memory of equal content, whatever the files are called."""
        for other in self._loaded.values():
            if other.avatar.content_id == avatar.content_id:
                return replace(other.avatar, id=avatar.id)
        return avatar

    def _check_rights(self, loaded: _Loaded, path: Path) -> None:
        model, avatar = loaded.model, loaded.avatar
        try:
            check_rights(avatar.content_id, model.consent, model.licence, self._policy)
        except FormatFault as fault:
            raise fault.named(avatar.id, path.name) from None

    def _files(self) -> dict[str, Path]:
        """Every file by id; earlier folders win, packaged ones yield whatever their case (V28)."""
        files: dict[str, Path] = {}
        for folder in self._folders:
            for avatar_id, path in _avatars_in(folder):
                if len(files) < MAX_LISTED:
                    files.setdefault(avatar_id, path)
        if self._packaged:
            taken = {avatar_id.lower() for avatar_id in files}
            files |= {i: p for i, p in _avatars_in(packaged_folder()) if i.lower() not in taken}
        return files

    def _entry(self, avatar_id: str, path: Path, clashes: frozenset[str]) -> AvatarEntry:
        stamp = _stamp(path)
        if stamp is None:
            return _refused(avatar_id, path, 0, AvatarNotFoundError(avatar_id))
        size = stamp[2]
        if avatar_id in clashes:
            return _refused(avatar_id, path, size, _clash(avatar_id, path))
        with self._lock:
            known = self._listed.get(stamp)
        if known is None:
            known = self._read_listing(avatar_id, path)
            with self._lock:
                if len(self._listed) >= 2 * MAX_LISTED:
                    self._listed.clear()
                self._listed[stamp] = known
        if isinstance(known, AvatarError):
            return _refused(avatar_id, path, size, known)
        model, content_id = known
        try:
            check_rights(content_id, model.consent, model.licence, self._policy)
        except FormatFault as fault:
            return _refused(avatar_id, path, size, fault.named(avatar_id, path.name))
        return AvatarEntry(
            id=avatar_id,
            path=path,
            ok=True,
            title=model.name,
            size=(model.canvas.width, model.canvas.height),
            fps=model.canvas.fps,
            bytes=size,
            subject=model.consent.subject,
            deny=tuple(model.licence.deny),
            content_id=content_id,
        )

    def _read_listing(self, avatar_id: str, path: Path) -> tuple[Manifest, str] | AvatarError:
        """Validate a whole file for the listing, so that `ok` means that it opens."""
        try:
            avatar, model = load(path, avatar_id=avatar_id, policy=self._policy)
        except AvatarError as fault:
            return fault
        return model, avatar.content_id


def packaged_folder() -> Path:
    """Return the folder of the avatars that come with the worker."""
    return Path(str(resources.files("avatar_worker") / "assets" / "avatars"))


def _avatars_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Ids and regular files, sorted. A name that is no id stands for nothing."""
    try:
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in found if entry.is_file())
    except OSError:
        return
    for name in names:
        avatar_id, suffix = os.path.splitext(name)
        if suffix == SUFFIX and _ID.fullmatch(avatar_id):
            yield avatar_id, folder / name


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino


def _clashes(files: Mapping[str, Path]) -> frozenset[str]:
    """Ids that another id equals but for case: on some disks they would be one file (V28)."""
    by_lower: dict[str, list[str]] = {}
    for avatar_id in files:
        by_lower.setdefault(avatar_id.lower(), []).append(avatar_id)
    return frozenset(x for same in by_lower.values() if len(same) > 1 for x in same)


def _clash(avatar_id: str, path: Path) -> AvatarCorruptError:
    message = (
        f"{path.name} has the same name as another avatar but for upper and lower case; "
        "rename one of them"
    )
    return AvatarCorruptError(avatar_id, "E_NAME", "V28", path.name, message)


def _refused(avatar_id: str, path: Path, size: int, fault: AvatarError) -> AvatarEntry:
    code = "E_NOT_FOUND"
    if isinstance(fault, AvatarFileError | AvatarRefusedError):
        code = fault.code
    return AvatarEntry(id=avatar_id, path=path, ok=False, code=code, message=str(fault), bytes=size)
