"""The `.hvia` file: read, write, refuse. `docs/avatar-format.md` is its specification."""

from .policy import Policy
from .reader import read_avatar
from .writer import pack_avatar, write_avatar

__all__ = ["Policy", "pack_avatar", "read_avatar", "write_avatar"]
