from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from avatar_worker.errors import PeerError
from avatar_worker.telemetry.log import HIDDEN, Pseudonyms, handler, scrub
from avatar_worker.telemetry.metrics import Metrics

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def write(
    message: str = "session started",
    *args: object,
    form: str = "json",
    personal: bool = False,
    error: BaseException | None = None,
    stream: io.StringIO | None = None,
    **fields: Any,
) -> str:
    out = stream or io.StringIO()
    key = Pseudonyms(b"k" * 32)
    info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("avatar_worker.test", logging.ERROR, "f", 1, message, args, info)
    record.__dict__.update({name.replace("__", "."): value for name, value in fields.items()})
    handler(form=form, personal=personal, stream=out, pseudonyms=key).emit(record)
    return out.getvalue()


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_machine_gets_one_json_object_a_line() -> None:
    line = write(door="http", n=2, ok=True, none=None)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    content = json.loads(line)
    assert (content["message"], content["level"]) == ("session started", "error")
    assert (content["door"], content["n"], content["ok"], content["none"]) == (
        "http",
        2,
        True,
        None,
    )
    assert content["time"].endswith("+00:00")


def test_a_person_gets_a_sentence_with_fields_behind_it() -> None:
    line = write(form="pretty", door="http")
    assert "session started door=http" in line
    assert "\x1b" not in line


def test_auto_is_pretty_with_colour_at_a_terminal_and_json_elsewhere() -> None:
    assert "\x1b[31m" in write(form="auto", stream=Terminal())
    assert json.loads(write(form="auto"))["message"] == "session started"


def test_personal_values_are_hashed_unless_they_are_asked_for() -> None:
    hashed = json.loads(write(lk__pii__identity="anna"))["lk.pii.identity"]
    assert "anna" not in hashed
    assert len(hashed) == 12
    clear = json.loads(write(lk__pii__identity="anna", personal=True))
    assert clear["lk.pii.identity"] == "anna"


def test_a_pseudonym_follows_a_session_for_a_day_and_no_longer() -> None:
    names = Pseudonyms(b"k" * 32)
    assert names.of("anna", "2026-11-22") == names.of("anna", "2026-11-22")
    assert names.of("anna", "2026-11-22") != names.of("anna", "2026-11-23")
    assert names.of("anna", "2026-11-22") != names.of("bert", "2026-11-22")
    assert names.of("anna", "2026-11-22") != Pseudonyms().of("anna", "2026-11-22")


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_tokens_and_keys_are_never_written(form: str) -> None:
    line = write(
        "joining with %s",
        JWT,
        form=form,
        personal=True,
        token="canary-token",
        api_key="canary-key",
        livekit_api_secret="canary-secret",
        nested={"authorization": "canary-header", "fine": 1},
        url=f"wss://livekit.test/rtc?access_token={JWT}",
        lk__pii__x="fine",
    )
    assert "canary" not in line
    assert "eyJ" not in line
    assert HIDDEN in line
    assert "wss://livekit.test/rtc" in line


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_of_a_foreign_error_only_class_and_stack_are_written(form: str) -> None:
    error = raised(RuntimeError("wss://canary.test?token=abc"))
    line = write(form=form, error=error)
    assert "RuntimeError" in line
    assert "canary" not in line
    assert "test_telemetry.py" in line


def test_the_text_of_our_own_errors_is_written() -> None:
    content = json.loads(write(error=raised(PeerError("LiveKit refused"))))
    assert content["error"] == "PeerError: LiveKit refused"


def test_scrubbing_leaves_ordinary_text_alone() -> None:
    text = "40 frames at http://127.0.0.1:8080/health, eyJ is no token"
    assert scrub(text) == text


def test_every_metric_has_our_prefix_and_no_id_as_label() -> None:
    metrics = Metrics()
    metrics.watch_events(lambda: {"frames_sent": 2})
    ours = [family for family in metrics.registry.collect() if "process_" not in family.name]
    assert len(ours) >= 10
    for family in ours:
        assert family.name.startswith("avatar_worker_")
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert not {"session", "room", "identity", "id"} & set(sample.labels)


def test_two_workers_in_one_process_do_not_share_numbers() -> None:
    one, two = Metrics(), Metrics()
    one.api_errors.labels("AT_CAPACITY").inc()
    assert b'code="AT_CAPACITY"' in one.text()
    assert b'code="AT_CAPACITY"' not in two.text()


def test_events_are_summed_at_the_moment_of_the_scrape() -> None:
    metrics, totals = Metrics(), {"frames_sent": 1}
    metrics.watch_events(lambda: totals)
    totals["frames_sent"] = 5
    assert b'avatar_worker_session_events_total{event="frames_sent"} 5.0' in metrics.text()
