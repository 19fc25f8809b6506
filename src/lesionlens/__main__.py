"""``python -m lesionlens`` is the command ``lesionlens``."""

from lesionlens.cli import main

if __name__ == "__main__":
    main()
