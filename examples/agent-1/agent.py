"""Reference agent: AssemblyAI hears, OpenAI thinks, Cartesia speaks, an avatar shows it.

Run it with `python agent.py dev`; README.md beside it names the settings.
"""

from __future__ import annotations

from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    TurnHandlingOptions,
    cli,
)
from livekit.plugins import assemblyai, avaluma, cartesia, openai

INSTRUCTIONS = (
    "You are a friendly assistant with a face. You talk with people by voice: "
    "answer in one to three short sentences, without lists, markup or emojis."
)
GREETING = "Greet the user in one short sentence and offer your help."

server = AgentServer()


def build_session() -> AgentSession[None]:
    """Make the conversation; the keys come from the environment of each plugin."""
    return AgentSession(
        stt=assemblyai.STT(model="universal-streaming-english", format_turns=True),
        llm=openai.LLM(model="gpt-4.1-mini"),
        tts=cartesia.TTS(model="sonic-3"),
        turn_handling=TurnHandlingOptions(
            # Universal-streaming says itself when a turn is over.
            turn_detection="stt",
            interruption={"mode": "vad"},
        ),
    )


def build_avatar() -> avaluma.AvatarSession:
    """Make the avatar; AVALUMA_API_URL says whose server shows it."""
    return avaluma.AvatarSession()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    """Bring agent and avatar into the room, and begin."""
    session = build_session()
    avatar = build_avatar()

    # First, so that the session finds its voice already going to the avatar.
    await avatar.start(session, room=ctx.room)
    await session.start(agent=Agent(instructions=INSTRUCTIONS), room=ctx.room)
    await avatar.wait_for_join()
    session.generate_reply(instructions=GREETING)


if __name__ == "__main__":
    cli.run_app(server)
