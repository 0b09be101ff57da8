"""`python -m avatar_worker` is the `avatar-worker` command."""

from avatar_worker.cli import main

if __name__ == "__main__":
    main()
