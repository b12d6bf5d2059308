"""The command ``metarec``: the frequent wishes over files, without a line of Python."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from metarec._metarec import __version__
from metarec.errors import InvalidValueError, MetarecError

__all__ = ["main"]

_ABOUT = """\
Recommenders that adapt to a new user from a handful of ratings.

  metarec evaluate ratings.csv                          how good would it be for new users?
  metarec train ratings.csv --out model.metarec         make a model of all ratings
  metarec recommend model.metarec --history ann.csv     the best items for somebody new
  metarec info model.metarec                            what is in a file?

Tables are CSV (.csv, .tsv, .gz) or Parquet files with a line of column names. The columns of users,
items, ratings and times are guessed by their names and shown.
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("formatter_class", _wide)
        options.setdefault("allow_abbrev", False)
        super().__init__(*arguments, **options)

    def error(self, message: str) -> NoReturn:
        raise InvalidValueError(f"{message} (see {self.prog} --help)")


def _wide(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, else those of the process; return its exit code.

    0: done; 2: something is wrong with the arguments or files, told in one line; 130: Ctrl-C.

    Examples
    --------
    >>> main(["info", "nothing.csv"])  # doctest: +SKIP
    2
    """
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: _say("note", str(message))
        try:
            options = _parser().parse_args(arguments)
            options.run(options)
            sys.stdout.flush()
        except (MetarecError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                # Whoever reads has had enough, such as head.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 0
            _say("error", str(error))
            return 2
        except KeyboardInterrupt:
            _say("error", "interrupted")
            return 130
    return 0


def _say(what: str, message: str) -> None:
    print(f"metarec: {what}: {' '.join(message.split())}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    # Each command is imported here, not above: `metarec --version` need not wait for them.
    from metarec.command import evaluate, info, recommend, train

    parser = _Parser(prog="metarec", usage="metarec COMMAND ...", description=_ABOUT)
    parser.add_argument("--version", action="version", version=f"metarec {__version__}")
    commands = parser.add_subparsers(
        metavar="COMMAND", title="commands (each with --help of its own)", required=True
    )
    for command in (evaluate, train, recommend, info):
        name = command.__name__.rpartition(".")[2]
        first, _, rest = command.ABOUT.partition("\n")
        prog = f"metarec {name}"
        about = {"help": first, "description": first, "epilog": rest.strip("\n")}
        sub = commands.add_parser(name, prog=prog, usage=f"{prog} {command.USAGE}", **about)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser
