"""A Chromium for the page test: find it, or install the distribution's package as root.

`python -m avatar_worker.demo.chromium` prints the path of the binary.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from avatar_worker.errors import ConfigError

NAMES = ("chromium", "chromium-browser", "google-chrome")

HOW_TO_GET_ONE = (
    "Chromium is missing. Do one of these and run again: set CHROMIUM to the binary of a Chromium or "
    "Chrome; or install your distribution's package (Debian: `sudo apt-get install chromium`)."
)


def find(env: Mapping[str, str] | None = None) -> Path | None:
    """`CHROMIUM`, else the first of `NAMES` on `PATH`.

    Raises:
        ConfigError: `CHROMIUM` is set to something that cannot be run.
    """
    env = os.environ if env is None else env
    path = env.get("PATH", "")
    if named := env.get("CHROMIUM"):
        if (found := shutil.which(named, path=path)) is None:
            raise ConfigError(f"CHROMIUM is {named!r}, which cannot be run. {HOW_TO_GET_ONE}")
        return Path(found)
    for name in NAMES:
        if found := shutil.which(name, path=path):
            return Path(found)
    return None


def find_or_install(env: Mapping[str, str] | None = None, *, is_root: bool | None = None) -> Path:
    """A Chromium, from the distribution's package when we are root on a system with apt-get.

    Raises:
        ConfigError: there is none and none could be installed; the message says how to get one.
    """
    env = os.environ if env is None else env
    found = find(env)
    if found is not None:
        return found
    apt = shutil.which("apt-get", path=env.get("PATH", ""))
    may_install = os.geteuid() == 0 if is_root is None else is_root
    if apt is None or not may_install:
        raise ConfigError(HOW_TO_GET_ONE)
    quiet = {**env, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ([apt, "update"], [apt, "install", "--yes", "chromium"]):
        # Its progress goes to stderr; stdout is kept for the path.
        done = subprocess.run(
            command, env=quiet, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        )
        if done.returncode != 0:
            raise ConfigError(f"`{' '.join(command)}` failed. {HOW_TO_GET_ONE}")
    found = find(env)
    if found is None:
        raise ConfigError(HOW_TO_GET_ONE)
    return found


def main() -> int:
    """Print the path of a Chromium, installing one where that is possible."""
    try:
        path = find_or_install()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
