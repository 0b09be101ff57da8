from __future__ import annotations

import re

import pytest

from avatar_worker.demo.script import (
    ECHO_LIMIT,
    GREETING,
    TOPICS,
    ScriptedLLM,
    last_user_text,
    reply_to,
    tokens,
)
from livekit.agents import llm


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part]


@pytest.mark.parametrize("answer", [topic.answer for topic in TOPICS] + [GREETING])
def test_every_answer_has_two_to_five_sentences_so_that_it_can_be_interrupted(answer: str) -> None:
    assert 2 <= len(sentences(answer)) <= 5
    assert answer[-1] in ".!?"


def test_no_two_topics_claim_the_same_word() -> None:
    claimed = [word for topic in TOPICS for word in topic.words]
    assert len(claimed) == len(set(claimed))


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("Hi!", "lovely to see you"),
        ("who are you?", "Nobody in the real world looks like me"),
        ("How does this WORK", "listens a few hundredths of a second ahead"),
        ("can I make an avatar from my own photo", "single photo"),
        ("please count to twenty", "seventeen, eighteen"),
        ("stop", "I will stop"),
        ("thank you", "very kind"),
        ("bye", "Goodbye"),
    ],
)
def test_a_keyword_calls_for_its_answer(line: str, part: str) -> None:
    assert part in reply_to(line)


def test_a_line_that_meets_no_topic_is_said_back() -> None:
    assert reply_to("the  moss is green") == (
        "You said: the moss is green. I am only a small script, so I cannot say much about that. "
        "Ask me how I work, and I will have more to tell."
    )


def test_the_sign_at_the_end_of_a_line_is_kept() -> None:
    assert reply_to("moss?").startswith("You said: moss? I am")


def test_a_long_line_is_said_back_in_part_and_at_a_word() -> None:
    answer = sentences(reply_to("moss " * 200))[0]
    assert answer.startswith("You said: moss moss")
    assert answer.endswith("moss.")
    assert len(answer) <= ECHO_LIMIT + len("You said: .")


@pytest.mark.parametrize("line", ["", "   ", "\n\t"])
def test_an_empty_line_gets_an_answer_too(line: str) -> None:
    assert "did not catch" in reply_to(line)


@pytest.mark.parametrize("line", ["…", "😀😀", "日本語", "'; DROP TABLE", "<b>x</b>"])
def test_any_text_gets_an_answer(line: str) -> None:
    assert len(sentences(reply_to(line))) >= 2


def test_tokens_join_to_the_text() -> None:
    for topic in TOPICS:
        assert "".join(tokens(topic.answer)) == topic.answer
        assert len(list(tokens(topic.answer))) > 10


def test_the_last_thing_the_user_said_counts() -> None:
    chat = llm.ChatContext.empty()
    assert last_user_text(chat) == ""
    chat.add_message(role="user", content="first")
    chat.add_message(role="assistant", content="an answer")
    chat.add_message(role="user", content="second")
    chat.add_message(role="assistant", content="another")
    assert last_user_text(chat) == "second"


async def test_an_answer_streams_word_by_word_and_arrives_whole() -> None:
    chat = llm.ChatContext.empty()
    chat.add_message(role="user", content="who are you")
    async with ScriptedLLM() as model, model.chat(chat_ctx=chat) as stream:
        parts = [
            chunk.delta.content
            async for chunk in stream
            if chunk.delta is not None and chunk.delta.content
        ]
    assert "".join(parts) == reply_to("who are you")
    assert len(parts) == len(list(tokens(reply_to("who are you"))))


async def test_an_answer_can_be_broken_off() -> None:
    chat = llm.ChatContext.empty()
    chat.add_message(role="user", content="count to twenty")
    heard = []
    async with ScriptedLLM() as model, model.chat(chat_ctx=chat) as stream:
        async for chunk in stream:
            assert chunk.delta is not None
            heard.append(chunk.delta.content)
            if len(heard) == 3:
                break
    assert len(heard) == 3
