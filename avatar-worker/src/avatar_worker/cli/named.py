"""Avatars as people name them on the command line: by id, or by the path of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format import read_avatar
from avatar_worker.avatars.library import SUFFIX, AvatarLibrary
from avatar_worker.errors import AvatarNotFoundError


def is_path(name: str) -> bool:
    """Return whether `name` means a file and not an id."""
    return name.endswith(SUFFIX) or "/" in name


def find(name: str, folders: Sequence[Path]) -> Path:
    """Return the file that `name` means.

    Raises:
        AvatarNotFoundError: If there is none.
    """
    if is_path(name):
        if Path(name).is_file():
            return Path(name)
        raise AvatarNotFoundError(name)
    library = AvatarLibrary(folders)
    for entry in library.list():
        if entry.id == name:
            return entry.path
    raise AvatarNotFoundError(name, library.ids())


def open_avatar(name: str, folders: Sequence[Path]) -> Avatar:
    """Open the avatar that `name` means.

    Raises:
        AvatarError: If there is none, or it cannot be used.
    """
    if is_path(name):
        return read_avatar(find(name, folders), avatar_id=Path(name).stem)
    return AvatarLibrary(folders).open(name)
