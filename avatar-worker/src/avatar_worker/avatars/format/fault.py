"""A rule of the format that a file breaks, before anybody knows which avatar it is."""

from __future__ import annotations

from typing import Final, NoReturn

from avatar_worker.errors import (
    AvatarCorruptError,
    AvatarError,
    AvatarRefusedError,
    AvatarUnsupportedError,
)

UNSUPPORTED: Final = frozenset({"E_FOREIGN", "E_VERSION", "E_REQUIRES"})
REFUSED: Final = frozenset({"E_SIGNATURE", "E_UNTRUSTED", "E_CONSENT", "E_REVOKED", "E_LICENCE"})


class FormatFault(Exception):  # noqa: N818  # it never leaves this package
    """What is wrong and where.

    Attributes:
        code: `E_...`, stable.
        rule: `V1` to `V29`.
        where: An entry of the file, a tensor of an entry, or a JSON path.
        reason: What is wrong, as the end of a sentence.
    """

    def __init__(self, code: str, rule: str, where: str, reason: str) -> None:
        super().__init__(f"{code} ({rule}) {where}: {reason}")
        self.code = code
        self.rule = rule
        self.where = where
        self.reason = reason

    def named(self, avatar_id: str, file_name: str) -> AvatarError:
        """Return the public error for this fault in the file `file_name`."""
        if self.code == "E_FOREIGN":
            message = (
                f"{file_name} is not an open HVIA file. The suffix is also used by a proprietary "
                "format that this worker cannot read. Make one with "
                "`avatar-worker avatars build photo.jpg`."
            )
            return AvatarUnsupportedError(avatar_id, self.code, self.rule, self.where, message)
        if self.code in REFUSED:
            return AvatarRefusedError(self.code, f"{file_name} may not be used: {self.reason}")
        if self.code in UNSUPPORTED:
            message = f"{file_name} needs a newer worker: {self.reason}"
            return AvatarUnsupportedError(avatar_id, self.code, self.rule, self.where, message)
        message = f"{file_name} is damaged: {self.where}: {self.reason} ({self.code}, {self.rule})"
        return AvatarCorruptError(avatar_id, self.code, self.rule, self.where, message)


def fail(code: str, rule: str, where: str, reason: str) -> NoReturn:
    """Raise `FormatFault`."""
    raise FormatFault(code, rule, where, reason)
