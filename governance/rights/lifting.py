"""The end of a restriction: the person is informed before it is lifted (GDPR Art. 18(3)).

Whoever lifts one of which the person was not told is refused, and the letter that tells it is written, once.
It goes out like every letter of this room: the CRM hands it over and notes that it was sent; then the
restriction can be lifted. Who told the person in another way says when and how, which is sealed as evidence.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.errors import InvalidError, NotFoundError, UnreadableError
from governance.rights import letters, lifting_store, releasing
from governance.rights.intake import first_choice
from governance.rights.letter_files import LANGUAGES, language_of, words, write
from governance.rights.lifting_store import Notice
from governance.rights.model import RESTRICTION
from governance.rights.reasons import reasons
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.tenants import store as tenants
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

LETTER = "restriction_end"
"""The letter's name in the files of `policies/rights/letters/`."""


@dataclass(frozen=True, slots=True)
class Informed:
    """How a person was told in another way than by the letter, and when."""

    at: datetime
    how: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotInformed:
    """A lifting that was refused: this notice has to be sent first."""

    notice: Notice


def lift(
    work: Work, subject_ref: str, *, because: str | None = None, informed: Informed | None = None
) -> Subject | NotInformed:
    """Lift a person's restriction and have every system release the data; again changes nothing.

    Without a notice that was sent, or `informed`, nothing is lifted and the notice is written, once.
    Raises NotFoundError, InvalidError for an instant of informing that is not over, or
    was before the restriction began.
    """
    person = subjects.lock(work, subject_ref)
    if not person.restricted:
        return person
    open_ = [each for each in notices(work, subject_ref) if each.lifted_at is None]
    if informed is not None:
        _note_informed(work, subject_ref, informed)
    elif not any(each.sent_at for each in open_):
        return NotInformed(open_[-1] if open_ else _write(work, person))
    return releasing.end(work, subject_ref, because=because)


def notices(snap: Snapshot, subject_ref: str) -> list[Notice]:
    """The notices that a restriction of this person is about to end, oldest first."""
    return lifting_store.of_subject(snap.connection, snap.tenant_id, subject_ref)


def sent(work: Work, subject_ref: str, notice_id: str) -> Notice:
    """Note that a notice went out to the person; told again it changes nothing. NotFoundError."""
    for found in notices(work, subject_ref):
        if found.notice_id == notice_id:
            break
    else:
        raise NotFoundError("This person has no such notice.")
    if found.sent_at is not None:
        return found
    work.record("rights.restriction_end_sent", subject_ref=subject_ref, facts={"notice": notice_id})
    lifting_store.change(work.connection, work.tenant_id, notice_id, {"sent_at": work.now})
    return replace(found, sent_at=work.now)


def document(snap: Snapshot, notice: Notice) -> dict[str, Any]:
    """One notice with its address and text; both are null once the person's evidence was destroyed."""
    content: Mapping[str, Any] = {}
    try:
        place = _place(notice.notice_id)
        raw = snap.resource(Vault).reveal(
            snap.tenant_id, notice.subject_ref, EVIDENCE, place, notice.content_sealed
        )
        content = json.loads(raw)
    except UnreadableError:
        pass
    return {
        "id": notice.notice_id,
        "language": notice.language,
        "to": content.get("to"),
        "subject": content.get("subject"),
        "text": content.get("text"),
        "html": content.get("html"),
        "message_class": letters.MESSAGE_CLASS,
        "purpose": letters.PURPOSE,
        "written_at": wire(notice.written_at),
        "sent_at": None if notice.sent_at is None else wire(notice.sent_at),
        "lifted_at": None if notice.lifted_at is None else wire(notice.lifted_at),
    }


def _write(work: Work, person: Subject) -> Notice:
    """Write the letter in the person's language, to where the person is reached."""
    notice_id = work.new_id("rno")
    policies_dir = work.resource(Settings).policies_dir
    said = words(language_of(person.language) or LANGUAGES[0], policies_dir)
    tenant = tenants.find(work.connection, work.tenant_id)
    regime = first_choice(work, RESTRICTION, work.now, person.country, person.region, None).regime
    values = {
        "name": "",
        "controller": "" if tenant is None else tenant.name,
        "address": "" if tenant is None else tenant.postal_address or "",
        "reference": notice_id,
        "complaint": reasons(said.language, policies_dir).say(regime.complaint or ""),
    }
    written = write(said, LETTER, values)
    content = {
        "to": letters.reached_at(work, person.subject_ref),
        "subject": written.subject,
        "text": written.text,
        "html": written.html,
    }
    facts = {"notice": notice_id, "language": said.language}
    event = work.record("rights.restriction_end_written", subject_ref=person.subject_ref, facts=facts)
    plain = json.dumps(content).encode()
    sealed = work.resource(Vault).seal(work.tenant_id, person.subject_ref, EVIDENCE, _place(notice_id), plain)
    notice = Notice(notice_id, person.subject_ref, said.language, sealed, work.now, None, None, event.id)
    lifting_store.add(work.connection, work.tenant_id, notice)
    return notice


def _note_informed(work: Work, subject_ref: str, informed: Informed) -> None:
    if informed.at > work.now:
        complaint = "The person is informed before the restriction is lifted, so this is over."
        raise InvalidError(complaint, fields={"informed.at": [complaint]})
    begun = releasing.began_at(work, subject_ref)
    # Whoever notes the minute may leave its seconds out.
    if begun is not None and informed.at < begun.replace(second=0, microsecond=0):
        complaint = "This was before the restriction began, so it did not tell that it ends."
        raise InvalidError(complaint, fields={"informed.at": [complaint]})
    event_id = work.new_id("evt")
    told = {"at": wire(informed.at), "how": informed.how}
    sealed = work.resource(Vault).seal_evidence(work.tenant_id, subject_ref, event_id, told)
    work.record("rights.restriction_end_told", subject_ref=subject_ref, sealed=sealed, event_id=event_id)


def _place(notice_id: str) -> Place:
    return Place("restriction_notice", "content_sealed", notice_id)
