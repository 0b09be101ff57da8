"""All commands, and what a failed one says."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from avatar_worker.errors import AvatarWorkerError, ConfigError, DeviceError
from avatar_worker.version import __version__

from . import avatars, bench, doctor, files, render, serving

FAILED: Final = 1
DEVICE_LOST: Final = 70
BAD_CONFIG: Final = 78
INTERRUPTED: Final = 130
ONE_THREAD_A_STEP: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
}

app = typer.Typer(
    name="avatar-worker",
    help="Talking avatars for LiveKit rooms: serve them, build them, render them to a file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every setting is an environment variable, see docs/operations.md.",
)
serving.add_to(app)
render.add_to(app)
app.add_typer(avatars.app, name="avatars")
doctor.add_to(app)
bench.add_to(app)
files.add_to(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    pass


def main() -> None:
    """Run one command and exit with its code."""
    # Read once, when NumPy loads; sessions are the parallelism, threads inside a step fight.
    for name, value in ONE_THREAD_A_STEP.items():
        os.environ.setdefault(name, value)
    raise SystemExit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 78 configuration, 70 device, 1 other errors."""
    debug = "--debug" in arguments
    # The secret of `livekit-server --dev` is short, and nobody can change it; doctor mentions it.
    warnings.filterwarnings("ignore", message="The HMAC key is")
    try:
        app(args=[*arguments], prog_name="avatar-worker")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        typer.secho(f"avatar-worker: {sentence(error)}", fg="red", err=True)
        return exit_code(error)
    return 0


def exit_code(error: Exception) -> int:
    """Return the exit code that tells a supervisor what to do."""
    if isinstance(error, ConfigError):
        return BAD_CONFIG
    return DEVICE_LOST if isinstance(error, DeviceError) else FAILED


def sentence(error: Exception) -> str:
    """Return an error in one line."""
    if isinstance(error, AvatarWorkerError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        name = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{name}"
    kind = type(error).__name__
    return f"an internal error ({kind}); run `avatar-worker --debug ...` to see where"
