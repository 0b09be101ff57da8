"""How the voice-to-face net is made and measured. Nothing in the packages imports this folder."""
