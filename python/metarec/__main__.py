"""``python -m metarec``: the command."""

from metarec.command import main

if __name__ == "__main__":
    raise SystemExit(main())
