"""Make an avatar from a photo. Needs the extra `build`; a running worker needs none of it."""
