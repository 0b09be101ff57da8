"""`doctor`: what this machine has and lacks, in plain sentences."""

from __future__ import annotations

import json as json_module
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    port: Annotated[int | None, typer.Option(help="The port that should be free.")] = None,
) -> None:
    """Say what this machine has and lacks, and what to do about it. Exit 0: it can serve."""
    from .checks import Level, examine

    findings = examine(port=port)
    good = all(finding.level is not Level.BAD for finding in findings)
    if json:
        lines = [
            {
                "topic": finding.topic,
                "level": finding.level.value,
                "says": finding.says,
                "remedy": finding.remedy,
            }
            for finding in findings
        ]
        typer.echo(json_module.dumps({"can_serve": good, "findings": lines}, ensure_ascii=False))
        raise typer.Exit(0 if good else 1)
    marks = {
        Level.GOOD: ("ok  ", "green"),
        Level.NOTE: ("note", "yellow"),
        Level.OPEN: ("open", "yellow"),
        Level.BAD: ("bad ", "red"),
    }
    for finding in findings:
        mark, colour = marks[finding.level]
        typer.echo(f"{typer.style(mark, fg=colour)}  {finding.topic}: {finding.says}")
        if finding.remedy:
            typer.echo(f"      -> {finding.remedy}")
    typer.echo()
    typer.echo("This machine can serve." if good else "This machine cannot serve yet.")
    raise typer.Exit(0 if good else 1)
