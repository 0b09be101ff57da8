"""Sign an avatar file: its content and its id stay, `signature.json` comes third."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from typing import Final

from avatar_worker.errors import AvatarError

from .container import INDEX, MANIFEST, SIGNATURE, open_container
from .ed25519 import public_key_of, sign
from .fault import FormatFault
from .policy import SIGNED_PREFIX
from .writer import seal

_KEY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")


def signed(content: bytes, *, seed: bytes, key_id: str, name: str = "the file") -> bytes:
    """Return a file with a signature; an older signature is replaced.

    Args:
        content: A whole avatar file.
        seed: The secret, 32 bytes.
        key_id: What the key is called, for people.
        name: What the file is called, for errors.

    Raises:
        AvatarError: If the file breaks a rule, or `key_id` is no name.
        ValueError: If the seed has another length.
    """
    if not _KEY_ID.fullmatch(key_id):
        raise AvatarError(f"{key_id!r} is no name for a key: letters, digits and ._@- only")
    try:
        container = open_container(content)
        files = {path: bytes(container.take(path)) for path in container.media_types}
    except FormatFault as fault:
        raise fault.named(name, name) from None
    message = SIGNED_PREFIX + container.index_sha256
    signature = {
        "alg": "ed25519",
        "key_id": key_id,
        "public_key": base64.b64encode(public_key_of(seed)).decode(),
        "signature": base64.b64encode(sign(seed, message)).decode(),
    }
    manifest = files.pop(MANIFEST)
    # The index lists everything but itself and the signature; its bytes are what is signed.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        index = archive.read(INDEX)
    head = {MANIFEST: manifest, INDEX: index, SIGNATURE: json.dumps(signature).encode()}
    return seal({**head, **files})


def new_seed_text(seed: bytes) -> str:
    """Return how a seed stands in a key file: base64 and a newline."""
    return base64.b64encode(seed).decode() + "\n"


def read_seed(text: str) -> bytes:
    """Return the seed in a key file's text.

    Raises:
        AvatarError: If it holds anything else.
    """
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        seed = b""
    if len(seed) != 32:
        raise AvatarError("the key file should hold 32 bytes as base64 and nothing else")
    return seed
