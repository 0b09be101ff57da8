"""The command line, run inside this process."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from avatar_worker.cli.main import app, run


def said(*arguments: str) -> tuple[int, str]:
    """Run a command; its exit code and what it printed."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command that cannot be; its exit code and its sentence, without a stack."""
    code = run(arguments)
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out
    return code, captured.err
