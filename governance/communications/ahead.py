"""People who are read before they are asked about: those of a batch of checks, in a few statements.

For checks only, within one snapshot; an act reads its person anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from governance.communications import dealings, facts
from governance.communications.asked import Asked
from governance.communications.model import CheckRequest
from governance.communications.numbers import with_numbers
from governance.communications.opt_outs import counts_every_no
from governance.communications.situations import Dealing, Situation
from governance.subjects.model import CHANNEL_POINT_TYPE
from governance.work import Snapshot


@dataclass(slots=True)
class Ahead:
    """What is known of the people of a batch: by purpose, channel, whether every no counts, and external id;
    and their dealings."""

    snap: Snapshot
    people: dict[tuple[str, str, bool, str], Situation] = field(default_factory=dict)
    dealt: dict[str | None, dict[str, tuple[Dealing, ...]]] = field(default_factory=dict)

    def read(self, questions: Iterable[tuple[CheckRequest, str]]) -> None:
        """Read the people (external ids) of many questions."""
        wanted: dict[tuple[str, str, bool], list[str]] = {}
        families: dict[tuple[str, str, bool], dict[str | None, None]] = {}
        for request, external_id in questions:
            every_no = counts_every_no(request.channel, request.message_class)
            key = request.purpose, request.channel, every_no
            wanted.setdefault(key, []).append(external_id)
            families.setdefault(key, {})[request.product_family] = None
        for key, ids in wanted.items():
            purpose_id, channel, every_no = key
            refs = []
            for found in facts.rows(
                self.snap.connection,
                self.snap.tenant_id,
                ids,
                point_type=CHANNEL_POINT_TYPE[channel],
                purpose=purpose_id,
                channel=channel,
                every_no=every_no,
            ):
                self.people[(*key, found.external_id)] = found
                refs.append(found.subject_ref)
            for family in families[key]:
                self.dealt.setdefault(family, {}).update(dealings.of_many(self.snap, refs, family))

    def find(self, asked: Asked, external_id: str) -> Situation | None:
        """The person as the question needs it; None for whom nobody expected."""
        key = asked.consent.purpose, asked.consent.channel, asked.every_no, external_id
        known = self.people.get(key)
        if known is None:
            return None
        found = with_numbers(self.snap, known, asked)
        if not dealings.counts(asked):
            return found
        return replace(found, dealings=self.dealt[asked.product_family][found.subject_ref])
