from __future__ import annotations

import importlib
import inspect
import sys
import threading

import pytest

from livekit.agents import APIStatusError, Plugin
from livekit.agents.voice.avatar import AvatarSession as BaseAvatarSession
from livekit.plugins import avaluma


def test_the_public_surface_is_exactly_this() -> None:
    assert avaluma.__all__ == [
        "AvalumaException",
        "AvatarClosedError",
        "AvatarDispatchError",
        "AvatarExpressionError",
        "AvatarServerError",
        "AvatarSession",
        "AvatarSettingsError",
        "UnknownExpressionError",
        "__version__",
    ]
    assert all(hasattr(avaluma, name) for name in avaluma.__all__)
    assert avaluma.__version__ == "0.3.0"


def test_the_session_is_one_of_livekits() -> None:
    session = avaluma.AvatarSession(avatar_server_url="http://localhost:8080")
    assert isinstance(session, BaseAvatarSession)
    assert session.provider == "avaluma"
    assert session.avatar_identity == "avatar-demo"
    assert session.avatar_id == "demo"


def test_the_constructor_takes_keywords_only() -> None:
    parameters = inspect.signature(avaluma.AvatarSession.__init__).parameters
    assert list(parameters)[1:] == [
        "license_key",
        "avatar_id",
        "avatar_server_url",
        "agent_name",
        "avatar_participant_identity",
        "avatar_participant_name",
        "speech_from",
        "speakers",
        "on_avatar_lost",
        "http_session",
        "conn_options",
    ]
    kinds = {parameter.kind for name, parameter in parameters.items() if name != "self"}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_a_session_can_be_made_outside_a_job_and_without_a_loop() -> None:
    made: list[avaluma.AvatarSession] = []

    def make() -> None:
        made.append(avaluma.AvatarSession(avatar_server_url="http://localhost:8080"))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert made


def test_the_plugin_is_registered_under_its_package() -> None:
    [plugin] = [p for p in Plugin.registered_plugins if p.package == "livekit.plugins.avaluma"]
    assert plugin.version == avaluma.__version__
    assert plugin.logger is not None
    assert plugin.logger.name == "livekit.plugins.avaluma"


def test_errors_carry_their_facts() -> None:
    busy = avaluma.AvatarServerError("m", status_code=503, code="AT_CAPACITY", retry_after=2.0)
    assert isinstance(busy, APIStatusError)
    assert (busy.code, busy.retry_after, busy.retryable) == ("AT_CAPACITY", 2.0, True)
    assert not avaluma.AvatarServerError("m", status_code=404).retryable
    assert not avaluma.AvatarServerError("m", status_code=308).retryable
    lost = avaluma.AvatarDispatchError("nobody", agent_name="x")
    assert lost.agent_name == "x"
    for error in (lost, avaluma.AvatarClosedError(), avaluma.AvatarSettingsError("s")):
        assert isinstance(error, avaluma.AvalumaException)


def test_the_old_import_name_still_works_and_warns() -> None:
    sys.modules.pop("avaluma_livekit_plugin", None)
    with pytest.warns(DeprecationWarning, match="from livekit.plugins import avaluma"):
        old = importlib.import_module("avaluma_livekit_plugin")
    assert old.AvatarSession is avaluma.AvatarSession
    assert old.RemoteAvatarSession is avaluma.AvatarSession
    assert old.AvalumaException is avaluma.AvalumaException
    assert old.__version__ == avaluma.__version__
