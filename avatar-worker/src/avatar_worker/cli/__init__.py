"""The `avatar-worker` command.

Rooms are imported inside the commands, so that `--help` answers at once.
"""

from .main import main

__all__ = ["main"]
