"""`avatars check`: the visual criteria, measured on an avatar file."""

from __future__ import annotations

import json as json_module
import math
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from avatar_worker.avatars.judge import Finding


def check(
    avatars: Annotated[list[str], typer.Argument(help="Ids, or paths of .hvia files.")],
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line and avatar.")
    ] = False,
) -> None:
    """Measure what people notice: lips, lids, teeth, folds, gaze. Exit 1: a goal is missed.

    Everything is measured on the file alone, with the masks of the renderer: no landmarks are
    searched for, no photo is needed.
    """
    from avatar_worker.avatars.judge import judge
    from avatar_worker.config import read_settings

    from .avatars_stage import RenderStage
    from .bar import progress_bar
    from .named import open_avatar

    folders, missed = read_settings().avatars, 0
    for name in avatars:
        stage = RenderStage(open_avatar(name, folders))
        with progress_bar("judging") as progress:
            found = judge(stage, progress)
        stage.close()
        missed += sum(not finding.ok for finding in found)
        if json:
            typer.echo(json_module.dumps(_as_json(name, found), ensure_ascii=False))
        else:
            typer.echo("\n".join(table(name, found)))
    raise typer.Exit(1 if missed else 0)


def table(name: str, found: list[Finding]) -> list[str]:
    """Return one line a finding, with a heading and a sum."""
    good = {f.criterion for f in found} - {f.criterion for f in found if not f.ok}
    lines = [f"{name}: {len(good)} of {len({f.criterion for f in found})} criteria are met"]
    for finding in found:
        value = "-" if math.isnan(finding.value) else f"{finding.value:.4g}"
        note = f"  ({finding.note})" if finding.note else ""
        lines.append(
            f"  {finding.criterion:>2}  {'pass' if finding.ok else 'FAIL'}  {finding.what:<52}"
            f"{value:>9}  {finding.goal + ' ' + finding.unit:<16}{note}".rstrip()
        )
    return lines


def _as_json(name: str, found: list[Finding]) -> dict[str, object]:
    return {
        "avatar": name,
        "ok": all(finding.ok for finding in found),
        "findings": [finding.as_json() for finding in found],
    }
