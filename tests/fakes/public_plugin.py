"""The wire of the public plugin 0.2.0, in our own words: what its users' agents send us.

Three tries on every failure, whatever it is; four keys in the body; the key in `api-secret`; no
total timeout; after the 2xx the states and the voice, at 16 kHz, once the picture is there; never a
stop. Tests use it as "an agent that was not changed for us".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from livekit import api, rtc
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    APIConnectionError,
    UserStateChangedEvent,
)
from livekit.agents.types import ATTRIBUTE_PUBLISH_ON_BEHALF
from livekit.agents.voice.avatar import DataStreamAudioOutput

TRIES = 3
SAMPLE_RATE = 16000


@dataclass(kw_only=True)
class PublicPlugin:
    """One avatar session of the public plugin.

    Attributes:
        base_url: A trailing slash is kept, as there: the request goes to `//v1/...`.
        agent_identity: Whom the avatar speaks for.
        retry_interval: Seconds between two tries.
        session_id: What the last answer named, if it was JSON.
    """

    base_url: str
    license_key: str
    agent_identity: str
    avatar_id: str = "demo"
    retry_interval: float = 2.0
    session_id: str | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def avatar_identity(self) -> str:
        return f"avatar-{self.avatar_id}"

    async def start(
        self,
        agent_session: AgentSession[Any],
        room: rtc.Room,
        *,
        livekit_url: str,
        livekit_api_key: str,
        livekit_api_secret: str,
    ) -> None:
        """Ask for the avatar, then send it the states and the voice.

        Raises:
            APIConnectionError: Three tries failed, for whatever reason.
        """
        token = (
            api.AccessToken(livekit_api_key, livekit_api_secret)
            .with_kind("agent")
            .with_identity(self.avatar_identity)
            .with_name(self.avatar_identity)
            .with_grants(api.VideoGrants(room_join=True, room=room.name))
            .with_attributes({ATTRIBUTE_PUBLISH_ON_BEHALF: self.agent_identity})
            .to_jwt()
        )
        await self.ask(livekit_url, token)

        @agent_session.on("user_state_changed")
        def _on_user(event: UserStateChangedEvent) -> None:
            self._tell(room, "user_state_changed", event.new_state)

        @agent_session.on("agent_state_changed")
        def _on_agent(event: AgentStateChangedEvent) -> None:
            self._tell(room, "agent_state_changed", event.new_state)

        agent_session.output.audio = DataStreamAudioOutput(
            room=room,
            destination_identity=self.avatar_identity,
            sample_rate=SAMPLE_RATE,
            wait_remote_track=rtc.TrackKind.KIND_VIDEO,
        )

    async def ask(self, livekit_url: str, token: str) -> None:
        """Send the start request, up to three times.

        Raises:
            APIConnectionError: Three tries failed, for whatever reason.
        """
        async with aiohttp.ClientSession() as http:
            for attempt in range(TRIES):
                try:
                    async with http.post(
                        f"{self.base_url}/v1/livekit/start-avatar",
                        headers={
                            "Content-Type": "application/json",
                            "api-secret": self.license_key,
                        },
                        json={
                            "livekit_url": livekit_url,
                            "livekit_token": token,
                            "avaluma_key": self.license_key,
                            "avaluma_avatar_id": self.avatar_id,
                        },
                        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                    ) as response:
                        response.raise_for_status()
                        if response.content_type == "application/json":
                            self.session_id = (await response.json()).get("session_id")
                        return
                except aiohttp.ClientError:
                    if attempt + 1 < TRIES:
                        await asyncio.sleep(self.retry_interval)
        raise APIConnectionError("the avatar was not started")

    def _tell(self, room: rtc.Room, method: str, state: str) -> None:
        task = asyncio.create_task(self._perform(room, method, state), name=f"public.{method}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _perform(self, room: rtc.Room, method: str, state: str) -> None:
        try:
            await room.local_participant.perform_rpc(
                destination_identity=self.avatar_identity, method=method, payload=state
            )
        except Exception:
            # It does not care, and neither may a server.
            return
