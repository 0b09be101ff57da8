from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from livekit import api, rtc
from livekit.agents import APIConnectOptions, get_job_context
from livekit.agents.types import ATTRIBUTE_PUBLISH_ON_BEHALF

from .api import AvatarServer, RemoteAvatar
from .dispatch import AvatarDispatch
from .errors import AvalumaException, AvatarSettingsError
from .settings import DEFAULT_SPEECH_FROM, Settings

ATTRIBUTE_SPEECH_FROM = "avaluma.speech_from"
ATTRIBUTE_AI_GENERATED = "avaluma.ai_generated"


@dataclass(frozen=True)
class LiveKitAccess:
    """Where the room is, and the key that opens it."""

    url: str
    api_key: str
    api_secret: str

    @classmethod
    def resolve(
        cls, *, url: str | None, api_key: str | None, api_secret: str | None
    ) -> LiveKitAccess:
        """Complete the arguments from the environment.

        Raises:
            AvatarSettingsError: One of the three is neither given nor set.
        """
        url = url or os.environ.get("LIVEKIT_URL")
        api_key = api_key or os.environ.get("LIVEKIT_API_KEY")
        api_secret = api_secret or os.environ.get("LIVEKIT_API_SECRET")
        if not (url and api_key and api_secret):
            raise AvatarSettingsError(
                "livekit_url, livekit_api_key and livekit_api_secret must be set by arguments or "
                "by LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
            )
        return cls(url, api_key, api_secret)


def agent_identity(room: rtc.Room, *, avatar_identity: str) -> str:
    """Identity of the agent, known in a job even before the room is connected.

    Raises:
        AvalumaException: There is neither a job nor a connection.
        AvatarSettingsError: The avatar bears the same identity.
    """
    job = get_job_context(required=False)
    if job is not None:
        identity = job.local_participant_identity
    elif room.isconnected():
        identity = room.local_participant.identity
    else:
        raise AvalumaException(
            "AvatarSession.start() needs a job context or a connected room to know the agent"
        )
    if identity == avatar_identity:
        raise AvatarSettingsError("the avatar's identity must differ from the agent's")
    return identity


def open_door(
    settings: Settings,
    access: LiveKitAccess,
    *,
    room: str,
    agent_identity: str,
    conn_options: APIConnectOptions,
    http_session: Callable[[], aiohttp.ClientSession],
) -> RemoteAvatar:
    """Make the side that can start and stop this avatar; nothing is sent yet."""
    if settings.agent_name is not None:
        return AvatarDispatch(
            livekit_api=api.LiveKitAPI(
                access.url, access.api_key, access.api_secret, session=http_session()
            ),
            agent_name=settings.agent_name,
            room=room,
            metadata={
                "avatar_id": settings.avatar_id,
                "agent_identity": agent_identity,
                "avatar_participant_identity": settings.avatar_identity,
                "avatar_participant_name": settings.avatar_name,
                **_speech_fields(settings),
            },
            timeout=conn_options.timeout,
        )
    assert settings.server_url is not None
    # The order of the keys is the wire of earlier plugins; servers read them by name.
    request: dict[str, object] = {
        "livekit_url": access.url,
        "livekit_token": avatar_token(settings, access, room=room, agent_identity=agent_identity),
    }
    if settings.license_key is not None:
        request["avaluma_key"] = settings.license_key
    request["avaluma_avatar_id"] = settings.avatar_id
    return AvatarServer(
        base_url=settings.server_url,
        license_key=settings.license_key,
        request={**request, **_speech_fields(settings)},
        conn_options=conn_options,
        http_session=http_session,
    )


def avatar_token(
    settings: Settings, access: LiveKitAccess, *, room: str, agent_identity: str
) -> str:
    """Mint the token with which the avatar joins the room on behalf of the agent, for 6 h."""
    return (
        api.AccessToken(access.api_key, access.api_secret)
        .with_kind("agent")
        .with_identity(settings.avatar_identity)
        .with_name(settings.avatar_name)
        .with_grants(api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True))
        .with_attributes(
            {
                ATTRIBUTE_PUBLISH_ON_BEHALF: agent_identity,
                ATTRIBUTE_AI_GENERATED: "true",
                ATTRIBUTE_SPEECH_FROM: settings.speech_from or DEFAULT_SPEECH_FROM,
            }
        )
        .to_jwt()
    )


def _speech_fields(settings: Settings) -> dict[str, object]:
    """The policy in a request; nothing if none was asked for, as earlier servers know none."""
    if settings.speech_from is None:
        return {}
    if settings.speakers:
        return {"speech_from": settings.speech_from, "speakers": list(settings.speakers)}
    return {"speech_from": settings.speech_from}
