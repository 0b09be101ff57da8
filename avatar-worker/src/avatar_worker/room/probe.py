"""Can LiveKit be reached, and does it know our key? For `avatar-worker doctor`."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from livekit import api


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one call to LiveKit's room service showed.

    Attributes:
        reachable: Something answered as LiveKit does.
        authorised: It knows the key, and the secret is right.
        fault: What went wrong, in a few words of ours, or none.
    """

    reachable: bool
    authorised: bool
    fault: str | None = None


async def probe(url: str, api_key: str, api_secret: str, *, timeout: float = 5.0) -> Probe:
    """List the rooms once, to see whether that is allowed.

    Args:
        url: LiveKit's address, `ws`, `wss`, `http` or `https`.
        api_key: Its API key.
        api_secret: Its secret.
        timeout: Seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            async with api.LiveKitAPI(url, api_key, api_secret) as livekit:
                await livekit.room.list_rooms(api.ListRoomsRequest(names=["avaluma-doctor"]))
    except TimeoutError:
        return Probe(reachable=False, authorised=False, fault=f"no answer in {timeout:g} s")
    except api.TwirpError as error:
        if error.status in (401, 403):
            fault = "the key or the secret is wrong"
            return Probe(reachable=True, authorised=False, fault=fault)
        fault = f"what answers there is not LiveKit, or is unwell (HTTP {error.status})"
        return Probe(reachable=False, authorised=False, fault=fault)
    except OSError as error:
        return Probe(reachable=False, authorised=False, fault=_cause(error))
    except ValueError:
        return Probe(reachable=False, authorised=False, fault="the address is not usable")
    except Exception:
        # What is left is the HTTP client's: an answer that no LiveKit server gives.
        fault = "what answers there is not LiveKit"
        return Probe(reachable=False, authorised=False, fault=fault)
    return Probe(reachable=True, authorised=True)


def _cause(error: OSError) -> str:
    beneath = getattr(error, "os_error", error)
    if isinstance(beneath, socket.gaierror):
        return "its name is not known"
    if isinstance(beneath, ConnectionRefusedError):
        return "nothing listens there"
    return "no connection could be made"
