"""The command line that the benchmarks in a room share: both paths, one line of JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.envelope import envelope

from avatar_worker.demo.livekit_server import run_livekit_server

from .scene import PATHS, TTS_SPEED, Scene, scene


@dataclass
class Outcome:
    """What one path gave.

    Attributes:
        metrics: Figures, in the units that their names say.
        controls: Checks that the measurement measures.
        n: Events behind the figures.
    """

    metrics: dict[str, Any]
    controls: dict[str, bool]
    n: int
    config: dict[str, Any] = field(default_factory=dict)


Measure = Callable[[Scene, bool], Awaitable[Outcome]]


def main(bench: str, about: str, measure: Measure) -> None:
    """Measure each path in a fresh room and print one JSON line."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="accepted; the output is always JSON")
    parser.add_argument("--short", action="store_true", help="end within 25 seconds")
    parser.add_argument("--path", choices=PATHS, help="measure only this one")
    options = parser.parse_args()
    paths = (options.path,) if options.path else PATHS
    print(json.dumps(asyncio.run(_run(bench, measure, paths, options.short))))  # noqa: T201


async def _run(bench: str, measure: Measure, paths: tuple[str, ...], short: bool) -> dict[str, Any]:
    outcomes: dict[str, Outcome] = {}
    async with run_livekit_server() as server:
        for path in paths:
            async with scene(server, path) as there:
                outcomes[path] = await measure(there, short)
    return envelope(
        bench,
        {path: outcome.metrics for path, outcome in outcomes.items()},
        config={
            "short": short,
            "viewer": "python, in a process of its own, no lip-sync",
            "speech": f"{TTS_SPEED:g} seconds a second, unless the bench says otherwise",
            "avatars": "ours draws the demo portrait, stock a grey picture",
        },
        controls={
            f"{path}_{name}": passed
            for path, outcome in outcomes.items()
            for name, passed in outcome.controls.items()
        },
        n=min(outcome.n for outcome in outcomes.values()),
    )
