"""`python -m tests.fuzz`: any bytes are an avatar or a typed error."""
