"""The name under which the demo's agent registers and is dispatched."""

from __future__ import annotations

from typing import Final

AGENT_NAME: Final = "avaluma-demo-agent"
