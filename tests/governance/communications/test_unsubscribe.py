import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from governance.communications import link_tokens, unsubscribe
from governance.communications import service as communications
from governance.errors import NotFoundError
from governance.ledger import service as ledger
from tests.conftest import ACTOR

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm


def token_of(crm: "Crm", **more: object) -> str:
    given = crm.authorise("m-1", "crm-1", **more)
    link = given.headers["List-Unsubscribe"].strip("<>")
    assert "example.org/unsubscribe/" in link
    return link.rsplit("/", 1)[1]


def withdrawals(crm: "Crm", ref: str) -> int:
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        entries = ledger.entries(snap.connection, "acme", subject_ref=ref, limit=500)
    return [entry.kind for entry in entries].count("consent.withdrawn")


def test_a_link_shows_without_acting_and_acts_once(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org")
    token = token_of(crm)
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        shown = communications.describe_unsubscription(snap, token)
    assert (shown.purpose, shown.channel, shown.done) == ("marketing", "email", False)
    assert crm.check("crm-1").allowed
    for _ in range(2):
        with crm.runtime.work("acme", ACTOR) as work:
            assert communications.unsubscribe_by(work, token).done
    assert crm.check("crm-1").codes == ("consent-withdrawn",)
    assert withdrawals(crm, ref) == 1
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        assert communications.describe_unsubscription(snap, token).done


def test_a_link_ends_a_consent_that_was_given_since(small: "Crm") -> None:
    ref = small.person("crm-1", "a@example.org")
    token = token_of(small)
    with small.runtime.work("acme", ACTOR) as work:
        communications.unsubscribe_by(work, token)
    small.runtime.clock.forward(timedelta(hours=1))  # type: ignore[attr-defined]
    small.said(ref, "granted")
    assert small.check("crm-1").allowed
    with small.runtime.work("acme", ACTOR) as work:
        communications.unsubscribe_by(work, token)
    assert small.check("crm-1").codes == ("consent-withdrawn",)


def test_leaving_a_topic_is_not_leaving_everything_but_the_wider_link_still_works(small: "Crm") -> None:
    small.person("crm-1", "a@example.org")
    whole = token_of(small)
    part = (
        small.authorise("m-2", "crm-1", topic="spring")
        .headers["List-Unsubscribe"]
        .strip("<>")
        .rsplit("/", 1)[1]
    )
    with small.runtime.work("acme", ACTOR) as work:
        communications.unsubscribe_by(work, part)
    assert not small.check("crm-1", topic="spring").allowed
    assert small.check("crm-1", topic="autumn").allowed
    with small.runtime.work("acme", ACTOR) as work:
        communications.unsubscribe_by(work, whole)
    assert not small.check("crm-1", topic="autumn").allowed


def test_a_forged_or_changed_token_is_refused(small: "Crm") -> None:
    small.person("crm-1", "a@example.org")
    token = token_of(small)
    letters = "ABCabc019-_="
    changed = {token[:at] + letter + token[at + 1 :] for at in range(len(token)) for letter in letters}
    changed |= {
        token + "=",
        token + "A",
        token[:-1],
        token[1:],
        "",
        "x",
        "ä",
        "\x00",
        "A" * 5000,
        token.swapcase(),
    }
    changed.discard(token)
    with small.runtime.snapshot("acme", ACTOR) as snap:
        for bad in changed:
            with pytest.raises(NotFoundError):
                unsubscribe.describe(snap, bad)


def test_a_token_names_its_tenant_but_no_person(small: "Crm") -> None:
    ref = small.person("crm-1", "a@example.org")
    token = token_of(small)
    with small.runtime.snapshot("acme", ACTOR) as snap:
        assert link_tokens.tenant_ref_of(token) == snap.tenant_ref
    assert ref not in base64.urlsafe_b64decode(token + "==").decode("latin-1")
    with pytest.raises(NotFoundError):
        link_tokens.tenant_ref_of("nonsense")


def test_a_token_of_another_tenant_is_refused(small: "Crm") -> None:
    small.person("crm-1", "a@example.org")
    token = token_of(small)
    small.runtime.create_tenant("other", name="Other", country="US", address=None)
    with small.runtime.snapshot("other", ACTOR) as snap, pytest.raises(NotFoundError):
        unsubscribe.describe(snap, token)
