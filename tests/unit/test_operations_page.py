"""docs/operations.md says what the settings are; this test keeps it true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from avatar_worker.config import Settings, read_settings, variable_name
from avatar_worker.server.app import make_app, make_host
from avatar_worker.server.routes import ERRORS
from avatar_worker.server.worker import Worker
from avatar_worker.telemetry.metrics import Metrics
from fakes.sessions import FakeLiveKit, FakeShelf

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def shown(default: Any) -> str:
    if default is None or default == ():
        return "–"
    if default is PydanticUndefined:
        return "by cores"
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def table() -> str:
    """The settings table of the page, from the settings."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{variable_name(name)}` | {shown(field.default)} | {field.description} |")
    return "\n".join(rows)


def test_the_table_of_settings_is_that_of_the_settings() -> None:
    assert table() in PAGE.read_text(encoding="utf-8"), f"the table should be\n{table()}"


def test_every_metric_is_described() -> None:
    text = PAGE.read_text(encoding="utf-8")
    metrics = Metrics()
    metrics.watch_events(dict)
    metrics.watch_failures(dict)
    described = set(re.findall(r"^\| `(avatar_worker_\w+)", text, re.MULTILINE))
    ours = {
        family.name + "_total" * (family.type == "counter")
        for family in metrics.registry.collect()
        if family.name.startswith("avatar_worker_")
    }
    assert described == ours


def test_every_error_code_is_described() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    for _, status, code in ERRORS:
        assert [row for row in rows if str(status) in row and f"`{code}`" in row], (status, code)


def test_every_route_is_described_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    described = {path for _, path in re.findall(r"`(GET|POST|DELETE) (/[^`]*)`", text)}
    metrics, settings = Metrics(), read_settings()
    worker = Worker(avatars=FakeShelf(), join=FakeLiveKit().join)
    app = make_app(settings, worker, make_host(settings, worker, metrics), metrics)
    served = {resource.canonical for resource in app.router.resources()}
    aliases = {path for path in served if path.strip("/").endswith("-avatar")}
    assert described <= served
    assert served - aliases == described - aliases
