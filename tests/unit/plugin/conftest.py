from __future__ import annotations

import pytest

from livekit.plugins.avaluma import settings

LIVEKIT_SECRET = "secret-secret-secret-secret-0123"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's environment with LiveKit's settings and none of the avatar's."""
    for name in (*settings.KEY_NAMES, *settings.AVATAR_NAMES, *settings.URL_NAMES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIVEKIT_URL", "ws://livekit.test:7880")
    monkeypatch.setenv("LIVEKIT_API_KEY", "livekit-key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", LIVEKIT_SECRET)
    monkeypatch.setattr(settings, "_warned", set())
