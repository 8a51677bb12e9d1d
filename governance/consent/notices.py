"""Notices: what people are shown when they are asked, per version and language, kept as long as it proves."""

import hashlib
from collections.abc import Mapping

from governance.consent import notice_store as store
from governance.consent.acts import NoticeRef, check_code
from governance.consent.notice_store import Notice
from governance.errors import ConflictError, InvalidError, NotFoundError, StaleError
from governance.subjects.places import check_language
from governance.work import Snapshot, Work

_LONGEST = 200_000


def put_notice(
    work: Work, notice_id: str, version: str, texts: Mapping[str, str], *, if_match: str | None = None
) -> tuple[list[Notice], bool]:
    """Put a version of a notice: its text per language (BCP 47). Gives the texts, and whether it is new.

    The same texts again change nothing. A version that nobody has consented under may be replaced by who
    names its present tag in `if_match` (StaleError otherwise); one in use never changes (ConflictError
    `notice-in-use`).
    """
    check_code("notice", notice_id)
    check_code("version", version)
    wanted = _checked(texts)
    old = store.notices(work.connection, work.tenant_id, notice_id, version)
    if {each.language: each.text for each in old} == wanted:
        return old, False
    if old:
        if if_match != tag(old):
            raise StaleError(
                "This version was changed meanwhile; read it again and send its tag in If-Match."
            )
        if store.is_notice_used(work.connection, work.tenant_id, notice_id, version):
            raise ConflictError(
                "People have answered to this version; put the new text as a new version.",
                reason="notice-in-use",
            )
        store.remove_notice(work.connection, work.tenant_id, notice_id, version)
    new = {language: _sha256(text) for language, text in wanted.items()}
    event = work.record(
        "consent.notice_put",
        facts={
            "notice": notice_id,
            "version": version,
            "languages": sorted(new),
            "sha256": [new[language] for language in sorted(new)],
        },
    )
    rows = [
        Notice(notice_id, version, language, text, new[language], work.now, event.id)
        for language, text in sorted(wanted.items())
    ]
    store.add_notices(work.connection, work.tenant_id, rows)
    return rows, not old


def get_notice(snap: Snapshot, notice_id: str, version: str) -> list[Notice]:
    """Give the texts of a version, by language; NotFoundError if there is none."""
    found = store.notices(snap.connection, snap.tenant_id, notice_id, version)
    if not found:
        raise NotFoundError("This notice has no such version.")
    return found


def tag(texts: list[Notice]) -> str:
    """Give a version's entity tag: a hash over its languages and texts."""
    return _sha256("\n".join(f"{each.language} {each.sha256}" for each in texts))[:32]


def required(snap: Snapshot, named: NoticeRef | None) -> NoticeRef | None:
    """Return a named notice with its language.

    InvalidError if it, its version or its language does not exist.
    """
    if named is None:
        return None
    versions = store.notices(snap.connection, snap.tenant_id, named.id)
    if not versions:
        raise _unknown("id", "This notice does not exist; put it with `PUT /v1/notices/{id}/versions/{v}`.")
    texts = [each for each in versions if each.version == named.version]
    if not texts:
        known = ", ".join(sorted({each.version for each in versions}))
        raise _unknown("version", f"This notice has no such version; it has {known}.")
    languages = [each.language for each in texts]
    if named.language is None and len(languages) == 1:
        return NoticeRef(named.id, named.version, languages[0])
    wanted = None if named.language is None else _language(named.language)
    if wanted not in languages:
        raise _unknown(
            "language", f"Name the language that was shown; this version has {', '.join(languages)}."
        )
    return NoticeRef(named.id, named.version, wanted)


def known(snap: Snapshot, named: NoticeRef | None) -> NoticeRef | None:
    """Return a named notice if it exists, else None: a no is not refused for what it was shown."""
    try:
        return required(snap, named)
    except InvalidError:
        return None


def _checked(texts: Mapping[str, str]) -> dict[str, str]:
    wanted = {_language(language): text for language, text in texts.items()}
    if not wanted or any(not text.strip() or len(text) > _LONGEST for text in wanted.values()):
        complaint = f"A notice has a text of 1 to {_LONGEST} characters in at least one language."
        raise InvalidError(complaint, fields={"texts": [complaint]})
    if any("\x00" in text or (not text.isascii() and _has_surrogate(text)) for text in wanted.values()):
        raise InvalidError("A notice holds no NUL and no half characters.")
    return wanted


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _language(language: str) -> str:
    return check_language(language)


def _unknown(field: str, complaint: str) -> InvalidError:
    return InvalidError(complaint, fields={f"notice.{field}": [complaint]})


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
