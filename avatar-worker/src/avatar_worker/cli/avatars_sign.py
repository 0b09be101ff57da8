"""`avatars sign` and `avatars new-key`: say who vouches for a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def new_key(
    key: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
) -> None:
    """Make a key for signing avatars. Keep the file secret; print what operators may trust."""
    from avatar_worker.avatars.format.ed25519 import public_key_of
    from avatar_worker.avatars.format.signing import new_seed_text
    from avatar_worker.errors import ConfigError

    if not key.parent.is_dir():
        raise ConfigError(f"there is no folder {key.parent}")
    seed = os.urandom(32)
    try:
        handle = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{key} is there already; a key is never overwritten") from None
    with os.fdopen(handle, "w") as file:
        file.write(new_seed_text(seed))
    typer.echo(f"wrote {key}; its public key is {new_seed_text(public_key_of(seed)).strip()}")


def sign(
    avatar: Annotated[str, typer.Argument(help="An id, or the path of a .hvia file.")],
    key: Annotated[Path, typer.Option("--key", help="The secret key, see `avatars new-key`.")],
    key_id: Annotated[
        str | None, typer.Option(help="What the key is called; by default its file's name.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to; by default the file itself.")
    ] = None,
) -> None:
    """Sign an avatar. Its content and its content id stay; an older signature is replaced."""
    from avatar_worker.avatars.format import read_avatar
    from avatar_worker.avatars.format.signing import read_seed, signed
    from avatar_worker.avatars.format.writer import replace_file
    from avatar_worker.config import read_settings
    from avatar_worker.errors import ConfigError

    from .named import find

    if not key.is_file():
        raise ConfigError(f"there is no key {key}; make one with: avatar-worker avatars new-key")
    if out is not None and (out.suffix != ".hvia" or not out.parent.is_dir()):
        raise ConfigError(f"{out} should be a .hvia file in a folder that exists")
    path = find(avatar, read_settings().avatars)
    seed = read_seed(key.read_text(encoding="utf-8"))
    content = signed(path.read_bytes(), seed=seed, key_id=key_id or key.stem, name=path.name)
    content_id = read_avatar(content, avatar_id=path.stem).content_id
    replace_file(content, out or path)
    typer.echo(f"signed {out or path} ({content_id})")
