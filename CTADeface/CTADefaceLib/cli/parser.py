"""A parser of commands that guesses what was meant."""

from __future__ import annotations

import argparse
import difflib
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """As ``argparse.ArgumentParser``; a word that it does not know comes with the one that it resembles."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("epilog", "Exit codes: cta-deface --help")
        super().__init__(*args, **kwargs)
        self._words: list[str] = []
        self.register("action", "parsers", _Commands)

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        self._words = list(sys.argv[1:] if args is None else args)
        if "" in self._words:
            self.error("an argument is empty: a variable of the shell may not be set")
        found, unknown = super().parse_known_args(self._words, namespace)
        if unknown:
            # Here and not in the parser around this one, which knows other options.
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        super().error("\n  ".join([message, *self._meant()]))

    def _meant(self) -> Iterable[str]:
        """Sentences about the words that this parser does not know."""
        given = next((word for word in self._words if not word.startswith("-")), None)
        commands = [name for action in self._subcommands() for name in action.choices]
        if commands and given is not None and given not in commands:
            words = self._words if is_input(given) else [word for word in self._words if word != given]
            deface = self._how_to_deface(words) if {"run", "batch"} <= set(commands) and any(map(is_input, words)) else []
            return deface if is_input(given) else _did_you_mean([given], commands) or deface
        known = list(self._option_string_actions)
        names = [word.partition("=")[0] for word in self._words if word.startswith("--") and word != "--"]
        return _did_you_mean([name for name in names if not any(option.startswith(name) for option in known)], known)

    def _subcommands(self) -> list[argparse._SubParsersAction]:
        return [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]

    def _how_to_deface(self, words: list[str]) -> list[str]:
        """Sentences with the command that was meant by files or folders alone."""
        release = "" if any(word.startswith(("-o", "--output")) for word in words) else " -o release/"
        folders = [word for word in words if Path(word).is_dir()]
        trees = [f"To deface all that is in a folder: {self.prog} batch {shlex.quote(folder)} OUT" for folder in folders[:1]]
        return [f"To deface it: {self.prog} run {shlex.join(words)}{release}", *trees]


class _Commands(argparse._SubParsersAction):
    """Subcommands; the help of each begins with what the list of commands says of it."""

    def add_parser(self, name: str, **kwargs: Any) -> Any:
        said = kwargs.get("help") or ""
        kwargs.setdefault("description", said[:1].upper() + said[1:] + ("" if said.endswith("?") else "."))
        return super().add_parser(name, **kwargs)


def is_input(word: str) -> bool:
    """Is a word a file or folder, there or not?"""
    from ..dicom.reading.input_files import SUFFIXES
    from ..files.read import EXTENSIONS

    return not word.startswith("-") and (Path(word).exists() or word.lower().endswith((*EXTENSIONS, *SUFFIXES)))


def _did_you_mean(words: Iterable[str], known: Sequence[str]) -> list[str]:
    near = {word: difflib.get_close_matches(word, known, 1) for word in words}
    return [f"{word}: did you mean {found[0]}?" for word, found in near.items() if found]
