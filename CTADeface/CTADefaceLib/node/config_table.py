"""Reads a table of a TOML file key by key; each error is one sentence that names the file and the key."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UsageError


class Table:
    """``content`` of the table ``name`` ('' for the top) of ``file``. All keys must have been asked for before ``end``."""

    def __init__(self, file: Path, content: dict[str, Any], name: str = "") -> None:
        self.file, self._content, self._name = file, content, name
        self._asked: list[str] = []

    def fail(self, key: str, what: str) -> UsageError:
        """The error about a key: ``what`` is wrong, and what to do."""
        return UsageError(f"{self.file}: {self._called(key)}: {what}")

    def has(self, key: str) -> bool:
        """Is an optional key there? It is a known one from now on."""
        self._asked.append(key)
        return key in self._content

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty; without ``default`` it must be there."""
        value = self._value(key, default, "a text")
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, f"is {value!r}; give a text that is not empty.")
        return value

    def choice(self, key: str, names: tuple[str, ...], default: str) -> str:
        value = self.text(key, default)
        if value not in names:
            raise self.fail(key, f"is {value!r}; choose {' or '.join(names)}.")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._value(key, default, "true or false")
        if not isinstance(value, bool):
            raise self.fail(key, f"is {value!r}; give true or false.")
        return value

    def number(self, key: str, least: float, most: float, default: float | None = None) -> float:
        value = self._value(key, default, f"a number from {least:g} to {most:g}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise self.fail(key, f"is {value!r}; give a number from {least:g} to {most:g}.")
        return value

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        value = self.number(key, least, most, default)
        if not float(value).is_integer():
            raise self.fail(key, f"is {value!r}; give a whole number from {least} to {most}.")
        return int(value)

    def path(self, key: str) -> Path:
        """A path, relative to the folder of the file."""
        return (self.file.parent / self.text(key)).resolve()

    def existing(self, key: str) -> Path:
        """As ``path``, of a file that is there."""
        found = self.path(key)
        if not found.is_file():
            raise self.fail(key, f"{found} is no file; give the path of one, relative to the folder of {self.file.name}.")
        return found

    def table(self, key: str) -> Table:
        value = self._value(key, None, f"a table [{self._called(key)}]")
        if not isinstance(value, dict):
            raise self.fail(key, f"is {value!r}; write a table [{self._called(key)}].")
        return Table(self.file, value, self._called(key))

    def tables(self, key: str) -> list[Table]:
        """The tables [[key]], at least one."""
        called = self._called(key)
        value = self._value(key, None, f"a table [[{called}]]")
        if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
            raise self.fail(key, f"write at least one table [[{called}]].")
        return [Table(self.file, one, f"{called}[{number}]") for number, one in enumerate(value, 1)]

    def parsed(self, key: str, parse: Callable[[str], Any], default: str | None, wanted: str) -> Any:
        """``parse`` of a text; when it raises ValueError, the error asks for what is ``wanted``."""
        value = self.text(key, default)
        try:
            return parse(value)
        except ValueError:
            raise self.fail(key, f"is {value!r}; give {wanted}.") from None

    def end(self) -> None:
        """Raise UsageError for a key that nobody has asked for."""
        for key in self._content:
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, 1)
                known = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(set(self._asked)))}."
                raise self.fail(key, f"there is no such setting; {known}")

    def _value(self, key: str, default: Any, wanted: str) -> Any:
        self._asked.append(key)
        if key in self._content:
            return self._content[key]
        if default is None:
            raise self.fail(key, f"is missing; give {wanted}.")
        return default

    def _called(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key
