from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from avatar_worker.errors import PeerError
from avatar_worker.room.door import SpeechFrom
from avatar_worker.room.metadata import MAX_BYTES, DispatchMetadata, parse_metadata


def test_every_key_has_a_default() -> None:
    assert parse_metadata("", default_avatar="demo") == DispatchMetadata(
        avatar_id="demo",
        agent_identity=None,
        identity="avatar-demo",
        name="avatar-demo",
        speech_from=None,
        speakers=(),
        max_duration=None,
    )


def test_everything_can_be_said_and_unknown_keys_are_ignored() -> None:
    text = json.dumps(
        {
            "avatar_id": "maya",
            "agent_identity": "agent-1",
            "avatar_participant_identity": "face",
            "avatar_participant_name": "Maya",
            "speech_from": "listed",
            "speakers": ["robot"],
            "max_duration_seconds": 60,
            "colour": "green",
        }
    )
    assert parse_metadata(text, default_avatar="demo") == DispatchMetadata(
        avatar_id="maya",
        agent_identity="agent-1",
        identity="face",
        name="Maya",
        speech_from=SpeechFrom.LISTED,
        speakers=("robot",),
        max_duration=60.0,
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "must be JSON"),
        ("[1]", "must be a JSON object"),
        ('{"avatar_id": 3}', "avatar_id must be a string"),
        ('{"avatar_id": "%s"}' % ("x" * 300), "at most 256"),
        ('{"speech_from": "everyone"}', "speech_from must be one of"),
        ('{"speakers": "robot"}', "speakers must be a list"),
        ('{"speakers": [1]}', "speakers must be a list"),
        ('{"max_duration_seconds": -1}', "must be a positive number"),
        ('{"max_duration_seconds": true}', "must be a positive number"),
        ('{"agent_identity": "a", "avatar_participant_identity": "a"}', "must differ"),
        (" " * (MAX_BYTES + 1), "bytes"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(PeerError, match=sentence):
        parse_metadata(text, default_avatar="demo")


@given(
    st.text(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)
)
def test_any_text_is_metadata_or_a_peer_error(text: str) -> None:
    try:
        metadata = parse_metadata(text, default_avatar="demo")
    except PeerError:
        return
    assert metadata.avatar_id
