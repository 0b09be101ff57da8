"""The demo's language model: a small script that streams pleasant answers word by word."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    llm,
    utils,
)

GREETING = (
    "Hello, and welcome! I am the demo avatar, drawn live on this machine. "
    "Type something below, and I will answer you. "
    "You can interrupt me at any time, simply by typing again."
)

WORD_S = 0.015
"""Pause between two words, so that this streams as a real model does."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """An answer and the words that call for it."""

    words: frozenset[str]
    answer: str


def _topic(words: str, answer: str) -> Topic:
    return Topic(words=frozenset(words.split()), answer=answer)


TOPICS = (
    _topic(
        "bye goodbye ciao farewell",
        "Goodbye, it was nice talking to you. "
        "Close this page whenever you like, and I will leave the room as well.",
    ),
    _topic(
        "hello hi hey hallo morning evening",
        "Hello there, it is lovely to see you. "
        "Ask me who I am, how I work, or tell me to count to twenty. "
        "I am curious what you will type next.",
    ),
    _topic(
        "name who yourself",
        "I am the demo avatar of this worker. "
        "Nobody in the real world looks like me; I was made up for this project. "
        "My voice, my words and my face all come from your own computer.",
    ),
    _topic(
        "work works how technology built made lips lip sync",
        "Your text goes to an agent, and the agent answers with a voice. "
        "That voice is streamed to the avatar worker, which listens a few hundredths of a second ahead. "
        "It moves my lips to match, draws twenty-five pictures every second, and sends both into a LiveKit room. "
        "What you see is an ordinary video track.",
    ),
    _topic(
        "own photo picture avatar create build face",
        "You can build an avatar from a single photo. "
        "Run avatar-worker avatars build with your picture, and put the file into the avatars folder. "
        "It is ready at once, and it never leaves your machine.",
    ),
    _topic(
        "agent plugin code use integrate livekit",
        "Add our plugin to your LiveKit agent. "
        "You create an avatar session, start it with your agent session and the room, and that is all. "
        "Speech to text, language model and voice stay exactly as you have them.",
    ),
    _topic(
        "gpu cpu fast speed hardware cost key account",
        "This demo needs no graphics card, no account and no key. "
        "I am drawn by the processor of this machine. "
        "With a graphics card, one worker can serve many rooms at once.",
    ),
    _topic(
        "interrupt stop quiet enough wait",
        "Of course, I will stop. "
        "When you type while I am talking, my voice ends and my mouth closes at once. "
        "Go ahead, what would you like to say?",
    ),
    _topic(
        "count numbers twenty ten",
        "Let me count, and feel free to interrupt me. "
        "One, two, three, four, five, six, seven, eight, nine, ten. "
        "Eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty. "
        "There, I made it to the end.",
    ),
    _topic(
        "story tell poem talk long",
        "Here is a small story. "
        "Once there was a voice that lived in a quiet room, and it wished for a face. "
        "Every morning it practised the shapes of words: the round ones, the wide ones, and the ones that press the lips together. "
        "One day somebody opened the door, and the voice smiled back.",
    ),
    _topic(
        "thanks thank great nice cool love good wow",
        "Thank you, that is very kind. "
        "I practise every sentence with great care. "
        "Would you like to hear how I work?",
    ),
    _topic(
        "help can what",
        "I can tell you who I am, how I work, or how you build an avatar of your own. "
        "I can also count to twenty, or tell you a short story. "
        "Anything else I will simply say back to you.",
    ),
)


ECHO_LIMIT = 160
"""Characters of the person's own text that are said back."""


def reply_to(text: str) -> str:
    """The answer to one line, two to four sentences.

    The topic with the most of its words in the line wins, the earlier one when two are equal;
    a line that meets no topic is said back.
    """
    words = set(re.findall(r"[a-z]+", text.lower()))
    best = max(TOPICS, key=lambda topic: len(topic.words & words))
    if best.words & words:
        return best.answer
    said = " ".join(text.split())
    if not said:
        return "I did not catch anything. Please type a few words for me."
    if len(said) > ECHO_LIMIT:
        said = said[:ECHO_LIMIT].rsplit(" ", 1)[0]
    end = "" if said[-1] in ".!?" else "."
    return (
        f"You said: {said}{end} "
        "I am only a small script, so I cannot say much about that. "
        "Ask me how I work, and I will have more to tell."
    )


def tokens(text: str) -> Iterator[str]:
    """The words of a text, each with the white space behind it; joined they are the text."""
    yield from re.findall(r"\S+\s*", text)


class ScriptedLLM(llm.LLM[str]):
    """Answers with `reply_to` the last thing the user said."""

    @property
    def model(self) -> str:
        """The script's name."""
        return "demo-script"

    @property
    def provider(self) -> str:
        """Who makes it."""
        return "avatar-worker"

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        """Stream one answer; tools are ignored."""
        return _Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


def last_user_text(chat_ctx: llm.ChatContext) -> str:
    """What the user said last, empty when nothing was said yet."""
    for message in reversed(chat_ctx.messages()):
        if message.role == "user":
            return message.text_content or ""
    return ""


class _Answer(llm.LLMStream):
    async def _run(self) -> None:
        answer_id = utils.shortuuid("answer_")
        for token in tokens(reply_to(last_user_text(self._chat_ctx))):
            delta = llm.ChoiceDelta(role="assistant", content=token)
            self._event_ch.send_nowait(llm.ChatChunk(id=answer_id, delta=delta))
            await asyncio.sleep(WORD_S)
