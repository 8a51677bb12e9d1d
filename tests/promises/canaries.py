"""Unique values that stand for persons, and the search for them in everything a service leaves behind."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

_START = 8
"""Bytes at which a form is recognised; what is shorter is not looked for."""


class Canaries:
    """Makes values that occur nowhere else, and remembers them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def _keep(self, value: str) -> str:
        self.made.append(value)
        return value

    def _number(self) -> int:
        return 417 + 13 * len(self.made)

    def email(self) -> str:
        return self._keep(f"Canary.Mailbox{self._number()}@Songbird{self._number()}.example")

    def phone(self) -> str:
        return self._keep(f"+4930{70_000_000 + self._number() * 7919}")

    def name(self) -> str:
        return self._keep(f"Zoë Kanarienvogel-{self._number()}")

    def ip(self) -> str:
        return self._keep(f"2001:db8:{self._number():x}:ca0a::{self._number():x}")

    def agent(self) -> str:
        return self._keep(f"CanaryBrowser/{self._number()}.0 (Songbird OS)")

    def text(self) -> str:
        return self._keep(f"The canary number {self._number()} told us in confidence")

    def birth(self) -> str:
        return self._keep(f"19{40 + len(self.made) % 50}-07-{1 + len(self.made) % 28:02}")

    def code(self) -> str:
        """A value of letters and digits, for places where nothing else is let in."""
        return self._keep(f"canaryref{self._number()}songbird")


def forms(value: str) -> dict[str, bytes]:
    """How a value could stand in a file, by the name of the form."""
    found: dict[str, bytes] = {}
    for case, text in (("as it is", value), ("lower", value.lower()), ("upper", value.upper())):
        raw = text.encode()
        found |= {
            case: raw,
            f"{case}, hex": raw.hex().encode(),
            f"{case}, upper hex": raw.hex().upper().encode(),
            f"{case}, UTF-16-LE": text.encode("utf-16-le"),
            f"{case}, UTF-16-BE": text.encode("utf-16-be"),
            f"{case}, URL": quote(text, safe="").encode(),
            f"{case}, form": quote_plus(text).encode(),
            f"{case}, JSON": json.dumps(text)[1:-1].encode(),
            f"{case}, SHA-256": hashlib.sha256(raw).digest(),
            f"{case}, SHA-256 in hex": hashlib.sha256(raw).hexdigest().encode(),
            f"{case}, MD5 in hex": hashlib.md5(raw, usedforsecurity=False).hexdigest().encode(),
        }
        for shift in range(3):
            # The characters at the edges depend on the neighbours: only the middle is sure.
            coded = base64.b64encode(b"\0" * shift + raw)[(shift * 4 + 2) // 3 : -4]
            found[f"{case}, base64 at {shift}"] = coded
            found[f"{case}, URL-safe base64 at {shift}"] = coded.translate(bytes.maketrans(b"+/", b"-_"))
    return {name: form for name, form in found.items() if len(form) >= _START}


def hits(values: Iterable[str], contents: Iterable[tuple[str, bytes]]) -> list[str]:
    """Every place where a value can be read: `where: value (form)`."""
    wanted: dict[bytes, dict[bytes, str]] = {}
    for value in values:
        for name, form in forms(value).items():
            wanted.setdefault(form[:_START], {}).setdefault(form, f"{value} ({name})")
    found: dict[str, None] = {}
    read: set[bytes] = set()
    for where, content in contents:
        digest = hashlib.sha256(content).digest()
        if digest in read:  # the same file again, unchanged
            continue
        read.add(digest)
        # Thousands of forms: one look at each place of the content, not one search for each form.
        for at in range(len(content) - _START + 1):
            begun = wanted.get(content[at : at + _START])
            if begun is not None:
                told = (what for form, what in begun.items() if content.startswith(form, at))
                found |= {f"{where}: {what}": None for what in told}
    return list(found)


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the folders, and its name (a name can tell as well)."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            yield f"name of {path}", str(path).encode()
            with suppress(FileNotFoundError):  # a running server's files come and go
                if path.is_file():
                    yield str(path), path.read_bytes()
