"""Opt-outs of rows about somebody who is erased: nobody comes back, the noes are kept on the addresses."""

from governance.consent import service as consent
from governance.errors import InvalidError
from governance.imports.model import ImportRow
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.lookups import read_value
from governance.subjects.model import PointValue
from governance.subjects.service import SubjectReference
from governance.work import Work


def keep_noes(work: Work, row: ImportRow, counts: dict[str, int]) -> bool:
    """Let the addresses of the row, and of the erased person whom it names, bear its noes.

    Adds to the counts; gives whether there was an erased person and any no. A file that comes twice adds
    nothing.
    """
    noes = [each for each in row.consents if each.status not in ("granted", "requested")]
    if not (row.suppressions or noes):
        return False
    hashes = [each.suppression_hash for each in addresses(work, row)]
    person = subjects.find_buried(work, SubjectReference(id=row.external_id))
    person = person or subjects.buried_as(work, hashes)
    if person is None:
        return False
    ref = person.subject_ref
    for rule in row.suppressions:
        counts["suppressions"] += 1
        consent.keep_no(work, ref, scope=rule.scope, channel=rule.channel or "", hashes=hashes)
    for each in noes:
        counts["consents"] += 1
        consent.keep_no(
            work,
            ref,
            purpose=each.purpose,
            channel=each.channel or "",
            topic=each.topic or "",
            occurred_at=each.occurred_at,
            hashes=hashes,
        )
    return True


def addresses(work: Work, row: ImportRow) -> list[PointValue]:
    """Those addresses of the row that can be read, with their hashes."""
    told = row.attributes.get("country")
    found: list[PointValue] = []
    country = told if isinstance(told, str) else None
    for kind, value, subscriber in row.identifiers:
        try:
            sent = Identifier(kind, value, subscriber=subscriber)
            found.append(read_value(work, sent, country))
        except InvalidError:
            continue
    return found
