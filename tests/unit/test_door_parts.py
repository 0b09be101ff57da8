"""The small pure parts behind the HTTP door."""

from __future__ import annotations

import contextlib
import threading

import pytest
from hypothesis import given, strategies as st

from avatar_worker.errors import CapacityError
from avatar_worker.room.door import SpeechFrom
from avatar_worker.server.admission import INVISIBLE, Places, reported_load
from avatar_worker.server.auth import ANYBODY, ApiKey, KeyRing, digest_of, presented_key
from avatar_worker.server.health import health, not_ready
from avatar_worker.server.rate_limit import MAX_NAMES, RateLimiter
from avatar_worker.server.refusals import (
    DrainingError,
    KeyMissingError,
    KeyWrongError,
    MissingParameterError,
    RateLimitedError,
)
from avatar_worker.server.start_request import read_object
from avatar_worker.version import __version__

# Admission


@given(st.integers(1, 1000).flatmap(lambda cap: st.tuples(st.integers(0, cap), st.just(cap))))
def test_load_stays_visible_until_the_worker_is_full(counts: tuple[int, int]) -> None:
    used, capacity = counts
    load = reported_load(used, capacity)
    assert load == 1.0 if used == capacity else 0.0 <= load < INVISIBLE


def test_a_place_is_taken_once_and_given_back_once() -> None:
    places = Places(1)
    place = places.take()
    with pytest.raises(CapacityError) as caught:
        places.take()
    assert (caught.value.active, caught.value.capacity) == (1, 1)
    place.release()
    place.release()
    assert places.used == 0
    places.take()


def test_a_draining_worker_gives_no_place_and_looks_full() -> None:
    places = Places(2)
    places.drain()
    assert places.load() == 1.0
    with pytest.raises(DrainingError, match="shutting down"):
        places.take()


def test_the_last_place_given_back_is_told_even_if_it_was_earlier() -> None:
    places, told = Places(2), []
    places.when_empty(lambda: told.append("now"))
    assert told == ["now"]
    first, second = places.take(), places.take()
    first.release()
    assert told == ["now"]
    second.release()
    assert told == ["now", "now"]


def test_threads_never_get_more_places_than_there_are() -> None:
    places, got, lost = Places(10), [], []
    begin = threading.Barrier(8)

    def work() -> None:
        begin.wait()
        for _ in range(50):
            try:
                got.append(places.take())
            except CapacityError:
                lost.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(lost), places.used) == (10, 390, 10)


# Keys


def test_without_keys_everybody_is_let_in() -> None:
    assert KeyRing().identify(None) is ANYBODY
    assert KeyRing().is_open


def test_each_key_is_told_from_the_others_and_from_strangers() -> None:
    ring = KeyRing.of(["first-key", "second-key"])
    assert [ring.identify(key).name for key in ("first-key", "second-key")] == ["key-1", "key-2"]
    with pytest.raises(KeyWrongError):
        ring.identify("third-key")
    for nothing in (None, ""):
        with pytest.raises(KeyMissingError):
            ring.identify(nothing)


def test_the_ring_holds_no_key_in_clear() -> None:
    key = ApiKey(name="key-1", digest=digest_of("canary-key"))
    assert "canary-key" not in repr(key)
    assert len(key.digest) == 32


def test_several_keys_make_the_worker_shared() -> None:
    assert not KeyRing.of(["one-key"]).is_shared
    assert KeyRing.of(["one-key", "two-key"]).is_shared


@pytest.mark.parametrize(
    ("headers", "body", "key"),
    [
        ({"api-secret": "a", "Authorization": "Bearer b"}, {"avaluma_key": "c"}, "a"),
        ({"Authorization": "Bearer b"}, {"avaluma_key": "c"}, "b"),
        ({"Authorization": "bearer  b "}, {}, "b"),
        ({"Authorization": "Basic b"}, {"license_key": "d"}, "d"),
        ({}, {"avaluma_license_key": "d", "license_key": "e"}, "d"),
        ({}, {"avaluma_key": 5}, None),
        ({}, {}, None),
    ],
)
def test_the_header_comes_before_the_bearer_before_the_body(
    headers: dict[str, str], body: dict[str, object], key: str | None
) -> None:
    assert presented_key(headers, body) == key


@given(st.text())
def test_any_text_can_be_presented_as_a_key(text: str) -> None:
    with pytest.raises((KeyMissingError, KeyWrongError)):
        KeyRing.of(["the-only-key-there-is!"]).identify(text)


# Rate


def test_a_minute_holds_so_many_calls_and_they_come_back_evenly() -> None:
    limit = RateLimiter(60)
    for _ in range(60):
        limit.take("a", 100.0)
    with pytest.raises(RateLimitedError) as caught:
        limit.take("a", 100.0)
    assert caught.value.retry_after == 1
    limit.take("a", 101.0)
    with pytest.raises(RateLimitedError):
        limit.take("a", 101.0)


def test_callers_do_not_use_up_each_others_calls() -> None:
    limit = RateLimiter(1)
    limit.take("a", 0.0)
    limit.take("b", 0.0)


def test_the_wait_that_is_named_is_long_enough() -> None:
    limit = RateLimiter(3)
    for _ in range(3):
        limit.take("a", 0.0)
    with pytest.raises(RateLimitedError) as caught:
        limit.take("a", 0.0)
    limit.take("a", float(caught.value.retry_after))


def test_a_crowd_of_names_does_not_fill_the_memory() -> None:
    limit = RateLimiter(1)
    for number in range(2 * MAX_NAMES):
        limit.take(str(number), 0.0)
    assert len(limit._buckets) == MAX_NAMES


# Speech policy, health, bodies


@given(st.sampled_from(SpeechFrom), st.sampled_from(SpeechFrom))
def test_a_ceiling_only_narrows(wanted: SpeechFrom, ceiling: SpeechFrom) -> None:
    order = list(SpeechFrom)
    got = wanted.at_most(ceiling)
    assert order.index(got) <= order.index(ceiling)
    assert got in (wanted, ceiling)


def test_policies_are_listed_from_narrow_to_wide() -> None:
    assert [policy.value for policy in SpeechFrom] == [
        "on_behalf",
        "agents",
        "listed",
        "until_agent",
        "any",
    ]


def test_health_has_the_vendors_shape() -> None:
    assert health(3) == {"status": "healthy", "active_sessions": 3, "version": __version__}


def test_every_reason_against_work_is_named() -> None:
    assert not_ready([lambda: None, lambda: "full", lambda: "draining"]) == ["full", "draining"]
    assert not_ready([]) == []


@given(st.binary())
def test_any_bytes_are_an_object_or_a_typed_refusal(raw: bytes) -> None:
    with contextlib.suppress(MissingParameterError):
        assert isinstance(read_object(raw), dict)
