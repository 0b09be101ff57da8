"""The plugin under its earlier import name. Import ``livekit.plugins.avaluma`` instead."""

import warnings

from livekit.plugins.avaluma import AvalumaException, AvatarSession, __version__

RemoteAvatarSession = AvatarSession

__all__ = ["AvalumaException", "AvatarSession", "RemoteAvatarSession", "__version__"]

warnings.warn(
    "avaluma_livekit_plugin is deprecated, use `from livekit.plugins import avaluma` instead",
    DeprecationWarning,
    stacklevel=2,
)
