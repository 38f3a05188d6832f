"""What a setting may be: how its value is written, and which values are taken."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

__all__ = (
    "Choice",
    "File",
    "FileMode",
    "Flag",
    "Icon",
    "Kind",
    "LogFormat",
    "Many",
    "Prefix",
    "RefusedError",
    "Secret",
    "SecretText",
    "Text",
    "Whole",
    "Words",
)


class RefusedError(ValueError):
    """A value is not of a kind. ``got`` is the value, as it may be shown."""

    def __init__(self, got: Any) -> None:
        super().__init__(got)
        self.got = got


class Kind:
    """A kind of values. All methods raise ``RefusedError`` for what is not of the kind.

    Args:
        metavar: what stands for the value in the help.
        expected: the values in words, for messages of errors.
    """

    #: Given several times on the command line, it is a list.
    multiple = False

    def __init__(self, metavar: str, expected: str) -> None:
        self.metavar = metavar
        self.expected = expected

    def check(self, value: Any) -> Any:
        """A value that a program gives, in the form in which the settings keep it."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """A value as it is written in an environment variable or on the command line."""
        return self.check(text)

    def load(self, value: Any) -> Any:
        """A value of a file of settings."""
        return self.check(value)

    def dump(self, value: Any) -> Any:
        """The value as it would be in such a file: a text, number, boolean, or list of texts."""
        return value


_TIME = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
#: As Docker, systemd and nginx understand them, where nothing says that it is decimal.
_SIZE = {
    "b": 1,
    **{
        f"{prefix}{end}": 1024**power
        for power, prefix in enumerate("kmgt", 1)
        for end in ("", "ib")
    },
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)},
}
#: What is counted -> what may stand behind a number, and how many of it that is (of seconds, a
#: thousand times as many); and examples.
_UNITS: dict[str, tuple[dict[str, int], int, str]] = {
    "MILLISECONDS": (_TIME, 1, "90s or 10m"),
    "SECONDS": (_TIME, 1_000, "90s or 10m"),
    "BYTES": (_SIZE, 1, "64KiB or 2GB"),
}
_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?) ?([a-z]+)", re.ASCII | re.IGNORECASE)


class Whole(Kind):
    """A whole number.

    Args:
        low: the lowest.
        high: the highest.
        unit: what is counted. Of times and sizes, texts may have other units: ``10m``, ``2GB``.
        word: a word that is taken in place of a number.
    """

    def __init__(
        self, low: int, high: int | None = None, unit: str = "NUMBER", word: str | None = None
    ) -> None:
        numbers = f"a whole number from {low} to {high}" if high is not None else ""
        numbers = numbers or f"a whole number of at least {low}"
        self._units, self._size, examples = _UNITS.get(unit, ({}, 1, ""))
        if examples:
            numbers += f" {unit.lower()}, or with a unit, such as {examples}"
        super().__init__(
            f"{unit}|{word}" if word else unit, f"{numbers}, or {word}" if word else numbers
        )
        self.low = low
        self.high = high
        self._word = word

    def check(self, value: Any) -> Any:
        """An ``int`` within the bounds, or the word."""
        if self._word is not None and value == self._word:
            return value
        if not isinstance(value, int) or isinstance(value, bool) or value < self.low:
            raise RefusedError(value)
        if self.high is not None and value > self.high:
            raise RefusedError(value)
        return value

    def parse(self, text: str) -> Any:
        """Decimal digits, with a sign or without, and perhaps with underscores between them.

        Of times and sizes also a number with a unit, if that makes a whole number of ours.
        """
        try:
            number = int(text)
        except ValueError:
            return self.check(self._with_unit(text))
        return self.check(number)

    def load(self, value: Any) -> Any:
        """A number, or a text with a number and a unit."""
        return self.check(self._with_unit(value) if isinstance(value, str) else value)

    def _with_unit(self, text: str) -> Any:
        """What the text says, in our unit; the text itself, where that is no whole number."""
        match = _WITH_UNIT.fullmatch(text.strip())
        factor = self._units.get(match[2].lower()) if match is not None else None
        if match is None or factor is None:
            return text
        number = Decimal(match[1]) * factor / self._size
        return int(number) if number == number.to_integral_value() else text


class Flag(Kind):
    """Yes or no."""

    _WORDS: ClassVar = {
        **dict.fromkeys(("1", "true", "yes", "on"), True),
        **dict.fromkeys(("0", "false", "no", "off"), False),
    }

    def __init__(self) -> None:
        super().__init__("", "yes or no")

    def check(self, value: Any) -> Any:
        """A ``bool``."""
        if not isinstance(value, bool):
            raise RefusedError(value)
        return value

    def parse(self, text: str) -> Any:
        """One of the usual words, in any case."""
        try:
            return self._WORDS[text.strip().lower()]
        except KeyError:
            raise RefusedError(text) from None


class Choice(Kind):
    """A member of an enum, or its value."""

    def __init__(self, choices: type[StrEnum]) -> None:
        super().__init__("|".join(choices), f"one of {', '.join(choices)}")
        self.choices = choices

    def check(self, value: Any) -> Any:
        """A member."""
        try:
            return self.choices(value)
        except ValueError:
            raise RefusedError(value) from None

    def dump(self, value: Any) -> Any:
        """Its value."""
        return str(value)


class Text(Kind):
    """Some text, and not none."""

    def __init__(self, metavar: str, expected: str = "some text") -> None:
        super().__init__(metavar, expected)

    def check(self, value: Any) -> Any:
        """A ``str`` of at least one character, all of them printable."""
        if not isinstance(value, str) or not value or not value.isprintable():
            raise RefusedError(value)
        return value


class File(Text):
    """The path of a file that is there."""

    def __init__(self) -> None:
        super().__init__("FILE", "a file that can be read")

    def check(self, value: Any) -> Any:
        """A path, as it is given."""
        if not os.path.isfile(super().check(value)) or not os.access(value, os.R_OK):
            raise RefusedError(value)
        return value


class Icon(File):
    """An icon's file, or a word for one."""

    _WORDS: ClassVar = ("default", "none")

    def __init__(self) -> None:
        super().__init__()
        self.metavar = "FILE|none"
        self.expected = "an .ico file that can be read, none or default"

    def check(self, value: Any) -> Any:
        """A path, as it is given, or one of the words."""
        if value in self._WORDS:
            return value
        path = super().check(value)
        if not path.lower().endswith(".ico"):
            raise RefusedError(value)
        return path


class LogFormat(Text):
    """A format of the ``logging`` module, in the style of ``%(message)s``."""

    def __init__(self) -> None:
        super().__init__("FORMAT", "a format such as '%(asctime)s %(message)s'")

    def check(self, value: Any) -> Any:
        """A format that a record can be written with."""
        if not isinstance(value, str):
            raise RefusedError(value)
        import logging

        try:
            style = logging.PercentStyle(value)
            style.validate()
            style.format(logging.makeLogRecord({"asctime": "", "message": ""}))
        except (ValueError, TypeError):
            raise RefusedError(value) from None
        return value


class FileMode(Kind):
    """Who may use a file, as chmod(1) has it."""

    def __init__(self) -> None:
        super().__init__("MODE", "three octal digits such as 660")

    def check(self, value: Any) -> Any:
        """A number of nine bits."""
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0o777:
            raise RefusedError(value)
        return value

    def parse(self, text: str) -> Any:
        """Octal digits."""
        if not re.fullmatch("0?[0-7]{3}", text):
            raise RefusedError(text)
        return int(text, 8)

    def load(self, value: Any) -> Any:
        """Octal digits, as a text: a number would be a decimal one."""
        if not isinstance(value, str):
            raise RefusedError(value)
        return self.parse(value)

    def dump(self, value: Any) -> Any:
        """Octal digits."""
        return f"{value:03o}"


class Many(Text):
    """A list of texts: commas are between them in an environment variable."""

    multiple = True

    def __init__(self, metavar: str, expected: str = "a list of texts") -> None:
        super().__init__(metavar, expected)

    def check(self, value: Any) -> Any:
        """A ``tuple``."""
        if not isinstance(value, list | tuple):
            raise RefusedError(value)
        return tuple(super(Many, self).check(item) for item in value)

    def parse(self, text: str) -> Any:
        """What is between commas."""
        return self.check([item.strip() for item in text.split(",") if item.strip()])

    def dump(self, value: Any) -> Any:
        """A ``list``."""
        return list(value)


class Words(Many):
    """A list of texts that is written as for a shell."""

    def check(self, value: Any) -> Any:
        """A ``tuple``; its texts may be empty."""
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise RefusedError(value)
        return tuple(value)

    def parse(self, text: str) -> Any:
        """What is between spaces, quotes respected."""
        import shlex

        try:
            return self.check(shlex.split(text))
        except ValueError:  # a quotation that does not end
            raise RefusedError(text) from None


class Prefix(Text):
    """A URL path: kept as "" or "/like/this"."""

    def __init__(self) -> None:
        super().__init__("PATH", 'a URL path such as "/apps"')

    def check(self, value: Any) -> Any:
        """With one slash before it and none behind."""
        if not isinstance(value, str):
            raise RefusedError(value)
        path = value.strip("/")
        parts = path.split("/") if path else []
        if not all(re.fullmatch(r"[\w.~-]+", part) and part not in (".", "..") for part in parts):
            raise RefusedError(value)
        return f"/{path}" if path else ""


class Secret(Text):
    """What nobody may see. Programs give ``bytes``."""

    def __init__(self) -> None:
        super().__init__("SECRET", "bytes, and not none of them")

    def check(self, value: Any) -> Any:
        """``bytes``, and not none of them."""
        if not isinstance(value, bytes) or not value:
            raise RefusedError(value if not value else "what is not shown")
        return value

    def parse(self, text: str) -> Any:
        """Any text."""
        return self.check(text.encode())

    def load(self, value: Any) -> Any:
        """A text."""
        if not isinstance(value, str):
            raise RefusedError("what is not shown")
        return self.parse(value)


class SecretText(Text):
    """A text that nobody may see."""

    def __init__(self) -> None:
        super().__init__("SECRET")

    def check(self, value: Any) -> Any:
        """A ``str``, and not an empty one."""
        if not isinstance(value, str) or not value:
            raise RefusedError(value if not value else "what is not shown")
        return value
