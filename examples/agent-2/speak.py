"""Speak through an avatar from anywhere: a WAV file, or live sound from a pipe. No agent needed.

    python speak.py hello.wav --room R
    arecord -t raw -f S16_LE -r 16000 -c 1 | python speak.py - --rate 16000 --room R

README.md beside it says how to bring an avatar into the room.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import wave
from collections.abc import AsyncIterator
from pathlib import Path

from livekit import api, rtc

CHUNK_S = 0.1
QUIET_S = 3.0  # a live source that is silent for longer than 10 s would lose its segment
# For answers on their way: a process that ends while the SDK still has news is aborted by it.
LAST_WORDS_S = 0.25


class RefusedError(Exception):
    """The avatar does not hear this participant; the text says what would change that."""


class Voice:
    """A participant that speaks through one avatar and learns how it went."""

    def __init__(self, room: rtc.Room, avatar: str) -> None:
        self._room = room
        self._avatar = avatar
        self._finished: asyncio.Queue[dict[str, object] | RefusedError] = asyncio.Queue(64)
        room.on("data_received", self._on_data)

    async def join(self, url: str, token: str, *, wait: float) -> None:
        """Join, and wait until the avatar can be seen: what is sent before is lost."""
        here = asyncio.Event()
        for event in ("participant_connected", "track_published", "participant_disconnected"):
            self._room.on(event, lambda *_: here.set())
        await self._room.connect(url, token)
        me = self._room.local_participant
        me.register_rpc_method("lk.playback_started", self._on_started)
        me.register_rpc_method("lk.playback_finished", self._on_finished)
        async with asyncio.timeout(wait):
            while not self._avatar_is_seen():
                here.clear()
                await here.wait()

    def _avatar_is_seen(self) -> bool:
        avatar = self._room.remote_participants.get(self._avatar)
        tracks = avatar.track_publications.values() if avatar else ()
        return any(track.kind == rtc.TrackKind.KIND_VIDEO for track in tracks)

    async def open(self, rate: int, channels: int) -> rtc.ByteStreamWriter:
        """Begin a segment: raw s16le samples follow, as fast as you like."""
        return await self._room.local_participant.stream_bytes(
            "AUDIO_speak",
            topic="lk.audio_stream",
            destination_identities=[self._avatar],
            attributes={"sample_rate": str(rate), "num_channels": str(channels)},
        )

    async def interrupt(self) -> None:
        """Stop everything that this participant has sent."""
        await self._room.local_participant.perform_rpc(
            destination_identity=self._avatar, method="lk.clear_buffer", payload=""
        )

    async def finished(self) -> None:
        """Wait for the end of one segment.

        Raises:
            RefusedError: If the avatar does not hear this participant.
        """
        end = await self._finished.get()
        if isinstance(end, RefusedError):
            raise end
        how = "interrupted" if end["interrupted"] else "finished"
        say(f"{how} at {end['playback_position']:.2f} s")

    def _on_started(self, call: rtc.RpcInvocationData) -> str:
        say("started")
        return "ok"

    def _on_finished(self, call: rtc.RpcInvocationData) -> str:
        self._finished.put_nowait(json.loads(call.payload))
        return "ok"

    def _on_data(self, packet: rtc.DataPacket) -> None:
        sender = packet.participant.identity if packet.participant else ""
        if packet.topic == "avaluma.error" and sender == self._avatar:
            self._finished.put_nowait(RefusedError(json.loads(packet.data)["error"]))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def speak_file(voice: Voice, path: Path) -> None:
    """Send a WAV file as one segment and wait until it was heard."""
    with wave.open(str(path)) as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"ffmpeg -i {path} -c:a pcm_s16le out.wav  makes it 16 bit")
        writer = await voice.open(file.getframerate(), file.getnchannels())
        while data := file.readframes(round(file.getframerate() * CHUNK_S)):
            await writer.write(data)
        await writer.aclose()
    await voice.finished()


async def speak_live(voice: Voice, rate: int, channels: int) -> None:
    """Send what comes from stdin; a silent pause ends a segment, the next sound opens another."""
    writer: rtc.ByteStreamWriter | None = None
    segments = 0
    async for data in stdin(round(rate * CHUNK_S) * 2 * channels):
        if data and writer is None:
            writer = await voice.open(rate, channels)
            segments += 1
        if data and writer is not None:
            await writer.write(data)
        elif writer is not None:
            await writer.aclose()
            writer = None
    if writer is not None:
        await writer.aclose()
    for _ in range(segments):
        await voice.finished()


async def stdin(size: int) -> AsyncIterator[bytes]:
    """What comes through the pipe, and b"" when nothing came for a while."""
    loop = asyncio.get_running_loop()
    parts: asyncio.Queue[bytes | None] = asyncio.Queue(50)

    def read() -> None:
        while True:
            data = os.read(sys.stdin.fileno(), size)
            asyncio.run_coroutine_threadsafe(parts.put(data or None), loop).result()
            if not data:
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while True:
        try:
            async with asyncio.timeout(QUIET_S):
                part = await parts.get()
        except TimeoutError:
            yield b""
            continue
        if part is None:
            return
        yield part


def mint(args: argparse.Namespace) -> str:
    """Make a room token: join, and send data. More is not needed to speak."""
    grants = api.VideoGrants(room_join=True, room=args.room, can_publish=False)
    grants.can_publish_data = True
    key, secret = os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"]
    return api.AccessToken(key, secret).with_identity(args.identity).with_grants(grants).to_jwt()


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speak through an avatar.")
    parser.add_argument("source", nargs="?", help="a WAV file, or - for raw s16le from stdin")
    parser.add_argument("--url", default=os.environ.get("LIVEKIT_URL", "ws://localhost:7880"))
    parser.add_argument("--token", help="a room token; else one is made from LIVEKIT_API_KEY")
    parser.add_argument("--room", help="the room that such a token is for")
    parser.add_argument("--identity", default="narrator", help="who such a token is for")
    parser.add_argument("--avatar", default="avatar-demo", help="identity of the avatar")
    parser.add_argument("--rate", type=int, default=16000, help="of stdin, Hz")
    parser.add_argument("--channels", type=int, default=1, help="of stdin, 1 or 2")
    parser.add_argument("--interrupt-after", type=float, metavar="S", help="stop after S seconds")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds for the avatar to come")
    parser.add_argument("--print-token", action="store_true", help="for the page beside this file")
    args = parser.parse_args()
    if args.token is None and (
        not args.room or not {"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"} <= set(os.environ)
    ):
        parser.error("give --token, or --room with LIVEKIT_API_KEY and LIVEKIT_API_SECRET set")
    if not args.print_token and not args.source:
        parser.error("give a WAV file, or - for stdin")
    return args


async def run(args: argparse.Namespace) -> None:
    room = rtc.Room()
    voice = Voice(room, args.avatar)
    try:
        try:
            await voice.join(args.url, args.token or mint(args), wait=args.wait)
        except TimeoutError:
            sys.exit(f"no avatar {args.avatar!r} in the room; is its identity right?")
        except rtc.ConnectError as error:
            sys.exit(f"LiveKit does not let us in: {error}")
        if args.source == "-":
            speaking = asyncio.create_task(speak_live(voice, args.rate, args.channels))
        else:
            speaking = asyncio.create_task(speak_file(voice, Path(args.source)))
        if args.interrupt_after is not None:
            done, _ = await asyncio.wait({speaking}, timeout=args.interrupt_after)
            if not done:
                await voice.interrupt()
        try:
            await speaking
        except RefusedError as refused:
            sys.exit(f"the avatar does not hear {room.local_participant.identity!r}: {refused}")
        except (wave.Error, ValueError, FileNotFoundError) as error:
            sys.exit(f"this needs a WAV file with 16 bit samples: {error}")
    finally:
        await asyncio.sleep(LAST_WORDS_S)
        await room.disconnect()
        await asyncio.sleep(LAST_WORDS_S)


def main() -> None:
    args = read_arguments()
    if args.print_token:
        say(args.token or mint(args))
    else:
        asyncio.run(run(args))


if __name__ == "__main__":
    main()
