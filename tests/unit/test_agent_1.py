from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from livekit.agents import utils
from livekit.plugins import assemblyai, avaluma, cartesia, openai

AGENT = Path(__file__).parents[2] / "examples" / "agent-1" / "agent.py"
KEYS = ("ASSEMBLYAI_API_KEY", "OPENAI_API_KEY", "CARTESIA_API_KEY")


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example as a module, with keys that open nothing."""
    for name in KEYS:
        monkeypatch.setenv(name, "no-key")
    monkeypatch.setenv("AVALUMA_API_URL", "http://localhost:8080")
    spec = importlib.util.spec_from_file_location("agent_1", AGENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_everything_is_made_as_the_reference_says(agent: ModuleType) -> None:
    async with utils.http_context.open():
        session = agent.build_session()
        assert isinstance(session.stt, assemblyai.STT)
        assert session.stt.model == "universal-streaming-english"
        assert isinstance(session.llm, openai.LLM)
        assert session.llm.model == "gpt-4.1-mini"
        assert isinstance(session.tts, cartesia.TTS)
        assert session.tts.model == "sonic-3"
        assert session.turn_detection == "stt"
        assert session.vad is not None
        assert session.options.interruption["resume_false_interruption"] is True
        await session.tts.aclose()
        await session.llm.aclose()
        await session.stt.aclose()


async def test_the_avatar_is_ours_and_needs_no_key_on_a_server_of_ones_own(
    agent: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AVALUMA_API_KEY", raising=False)
    avatar = agent.build_avatar()
    assert isinstance(avatar, avaluma.AvatarSession)
    assert avatar.avatar_identity == "avatar-demo"


def test_the_server_takes_every_room(agent: ModuleType) -> None:
    assert agent.server is not None
    assert agent.entrypoint is not None


@pytest.mark.parametrize("missing", KEYS)
async def test_a_missing_key_is_named(
    agent: ModuleType, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    async with utils.http_context.open():
        with pytest.raises(Exception, match=missing):
            agent.build_session()
