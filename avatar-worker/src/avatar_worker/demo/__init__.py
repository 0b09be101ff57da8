"""Everything on one machine: livekit-server, worker, a keyless agent and a page to talk to it."""
