"""`avatars verify`: is a file sound? Its bytes are read in a child that cannot do harm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from avatar_worker.errors import AvatarError


def verify(
    avatars: Annotated[list[str], typer.Argument(help="Ids, or paths of .hvia files.")],
) -> None:
    """Check every byte of avatar files, and that nothing folds at their extremes.

    A file from a stranger is read in a child process without network and with little memory. Exit
    1: at least one cannot be used.
    """
    from avatar_worker.config import read_settings
    from avatar_worker.errors import AvatarError

    from .named import find

    folders, bad = read_settings().avatars, 0
    for name in avatars:
        path = find(name, folders)
        try:
            content_id = verified(path)
        except AvatarError as error:
            bad += 1
            typer.echo(f"{path}: refused{_code(error)}: {error}")
        else:
            typer.echo(f"{path}: sound, {content_id}")
    raise typer.Exit(1 if bad else 0)


def verified(path: Path) -> str:
    """Return the content id of a file that keeps every rule.

    Raises:
        AvatarError: If it breaks one.
    """
    from avatar_worker.avatars.confined import call_confined
    from avatar_worker.avatars.format import read_avatar
    from avatar_worker.avatars.format.reader import content_id_of, read_bytes

    from .rig_rule import check_rig

    content = read_bytes(path, avatar_id=path.stem)
    content_id = call_confined(content_id_of, content, path.stem)
    check_rig(read_avatar(content, avatar_id=path.stem))
    return content_id


def _code(error: AvatarError) -> str:
    code = getattr(error, "code", "")
    return f" ({code})" if code else ""
