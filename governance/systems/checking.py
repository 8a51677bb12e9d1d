"""What the record of a system may say; everything that is wrong is said at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pycountry
import rfc8785

from governance.errors import InvalidError
from governance.systems import registry
from governance.systems.connector import Draft
from governance.systems.model import System, may_name

_MEMBERS = ("kind", "country", "processor", "config", "data_classes", "depends_on")
_LONGEST = 200
_MOST = 100


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a record is checked against: codes of the catalogue, the operator's settings, other systems."""

    data_classes: frozenset[str]
    allow: frozenset[str]
    own: tuple[str, ...]
    systems: Mapping[str, System]


@dataclass(frozen=True, slots=True)
class Checked:
    """A record that may be kept, and its secrets in clear."""

    system: System
    secrets: Mapping[str, str] = field(repr=False)


def check(
    system_id: str,
    version: int,
    body: Mapping[str, Any],
    known_secrets: Mapping[str, str],
    around: Surroundings,
) -> Checked:
    """Read a record; InvalidError names every member that cannot be used. Secrets not sent stay as they are.

    Where a new `url` is sent, secrets that are not sent with it are forgotten: they were another place's.
    """
    complaints: dict[str, list[str]] = {}

    def add(path: str, sentence: str) -> None:
        complaints.setdefault(path, []).append(sentence)

    if not may_name(system_id):
        add("id", "An id is 1 to 63 characters of a-z, 0-9, hyphen and underscore, e.g. `crm`.")
    for name in sorted(set(body) - set(_MEMBERS)):
        add(name[:40], f"There is no such member; use {', '.join(_MEMBERS)}.")
    connector = registry.connector(_kind(body.get("kind")))
    country = _country(body.get("country"), add)
    processor = body.get("processor")
    if processor is not None and not (isinstance(processor, str) and _is_line(processor)):
        add("processor", f"Name the processor in at most {_LONGEST} characters, or leave it out.")
        processor = None
    config = body.get("config") or {}
    if not isinstance(config, Mapping):
        add("config", "The config is an object.")
        config = {}
    plain, secrets = _split(config, connector.secret_members, known_secrets, add)
    if not _is_writable(plain):
        add("config", "The config holds a number or a text that cannot be kept; use numbers below 2^53.")
        plain = {}
    draft = Draft(plain, secrets, around.data_classes, country, around.allow, around.own)
    found = connector.check(draft)
    for path, sentences in found.complaints.items():
        complaints.setdefault(f"config.{path}", []).extend(sentences)
    data_classes = _codes("data_classes", body.get("data_classes"), sorted(around.data_classes), add)
    missing = sorted(found.data_classes - set(data_classes)) if body.get("data_classes") is not None else []
    if missing:
        add("data_classes", f"The config also maps {', '.join(missing)}.")
    unmapped = sorted(set(data_classes) - found.data_classes) if found.data_classes else []
    if unmapped:
        add(
            "data_classes", f"The config maps no data of class {', '.join(unmapped)}, so none could be found."
        )
    depends_on = _codes("depends_on", body.get("depends_on"), sorted(around.systems), add)
    if system_id in depends_on:
        add("depends_on", "A system does not depend on itself.")
    if complaints:
        named = ", ".join(sorted(complaints)[:10])
        raise InvalidError(f"This system cannot be kept as it is: see {named}.", fields=complaints)
    system = System(
        system_id,
        body["kind"],
        country,
        processor,
        plain,
        tuple(data_classes) or tuple(sorted(found.data_classes)),
        tuple(depends_on),
        tuple(sorted(secrets)),
        version,
    )
    return Checked(system, secrets)


def _is_line(text: str) -> bool:
    return 1 <= len(text) <= _LONGEST and text.isprintable()


def _is_writable(config: Mapping[str, Any]) -> bool:
    try:
        rfc8785.dumps(config)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError, TypeError):
        return False
    return True


def _kind(kind: object) -> str:
    if not isinstance(kind, str):
        sentence = f"Use one of {', '.join(registry.kinds())}."
        raise InvalidError("Say what kind of system this is.", fields={"kind": [sentence]})
    return kind


def _country(code: object, add: Any) -> str | None:
    if code is None:
        return None
    if isinstance(code, str) and len(code) == 2 and code.isupper() and pycountry.countries.get(alpha_2=code):
        return code
    add("country", "This is no ISO 3166-1 alpha-2 country code such as DE or US; leave it out if unknown.")
    return None


def _split(
    config: Mapping[str, Any], names: Sequence[str], known: Mapping[str, str], add: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """Part the secret members from the plain ones."""
    plain = {name: value for name, value in config.items() if name not in names}
    sent = {name: value for name, value in config.items() if name in names and value is not None}
    for name, value in sent.items():
        if not isinstance(value, str) or not 1 <= len(value) <= 8192:
            add(f"config.{name}", "Use a text of at most 8192 characters.")
    usable = {name: value for name, value in sent.items() if isinstance(value, str)}
    return plain, usable if "url" in sent else {**known, **usable}


def _codes(name: str, value: object, known: Sequence[str], add: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(each, str) for each in value):
        add(name, f"Use a list of at most {_MOST} codes.")
        return []
    for index, each in enumerate(value):
        if each not in known:
            add(
                f"{name}.{index}",
                f"This is not known; use some of {', '.join(known[:30]) or 'none yet'}.",
            )
    if len(set(value)) < len(value):
        add(name, "Name each once.")
    return list(dict.fromkeys(value))
