"""Policies in the database: adopted by digest, active in the snapshot that reads them."""

from pathlib import Path

import pytest

from governance.bootstrap import Runtime
from governance.errors import NotReadyError
from governance.events import Actor
from governance.policy import service, store
from governance.policy.complaints import PolicyError
from governance.policy.service import PolicyCache, active, adopt, shipped_documents

OFFICER = Actor("officer")
PACK = """pack: jp
title: Japan
speaks_about: [communication.send]
layer: channel
applies: {person.country: JP}
rules:
  - id: consent
    effect: forbid
    when: {message.commercial: true}
    unless: {consent.status: granted}
    code: consent-missing
    because: Consent is needed.
    cites: ["Act s. 1"]
"""
CASES = """pack: jp
now: 2026-11-21T15:00:00Z
cases:
  - name: no consent
    facts: {person.country: JP, message.commercial: true, consent.status: none}
    expect: {forbids: [consent-missing]}
"""


@pytest.fixture
def more(tmp_path: Path) -> Path:
    folder = tmp_path / "own" / "communications"
    folder.mkdir(parents=True)
    (folder / "jp.yaml").write_text(PACK, encoding="utf-8")
    (folder / "jp.cases.yaml").write_text(CASES, encoding="utf-8")
    return tmp_path / "own"


def test_a_new_tenant_has_the_shipped_policies_in_force(runtime: Runtime) -> None:
    with runtime.snapshot("acme", OFFICER) as snap:
        policy = active(snap.connection, "acme", snap.now)
        assert active(snap.connection, "acme", snap.now) is policy, "a digest is compiled once"
        assert {pack.name for pack in policy.packs} >= {"everywhere", "unknown-default", "de", "us-can-spam"}
        assert policy.rank("erased") == 0, "the published order survives storage"


def test_an_adoption_is_in_force_from_the_next_snapshot_and_recorded(runtime: Runtime, more: Path) -> None:
    with runtime.snapshot("acme", OFFICER) as before:
        first = active(before.connection, "acme", before.now)
        with runtime.work("acme", OFFICER) as work:
            digest = adopt(work, documents=shipped_documents(more))
            assert work.events[-1].kind == "policy.adopted"
            assert work.events[-1].facts["digest"] == digest
        assert active(before.connection, "acme", before.now) is first, (
            "an open snapshot keeps deciding by its law"
        )
    with runtime.snapshot("acme", OFFICER) as after:
        policy = active(after.connection, "acme", after.now)
        assert policy.digest == digest != first.digest
        assert "jp" in {pack.name for pack in policy.packs}
        assert store.versions(after.connection, "acme")[0]["digest"] == digest


def test_a_refused_set_of_documents_changes_nothing(runtime: Runtime, more: Path) -> None:
    (more / "communications" / "jp.yaml").write_text(PACK.replace("consent-missing", "consent-mising"))
    with runtime.snapshot("acme", OFFICER) as snap:
        before = active(snap.connection, "acme", snap.now).digest
    with (
        pytest.raises(PolicyError, match="did you mean 'consent-missing'"),
        runtime.work("acme", OFFICER) as work,
    ):
        adopt(work, documents=shipped_documents(more))
    with runtime.snapshot("acme", OFFICER) as snap:
        assert active(snap.connection, "acme", snap.now).digest == before


def test_adopting_the_same_again_is_recorded_again(runtime: Runtime) -> None:
    digests = []
    for _ in range(2):
        with runtime.work("acme", OFFICER) as work:
            digests.append(adopt(work, documents=shipped_documents()))
    with runtime.snapshot("acme", OFFICER) as snap:
        assert digests[0] == digests[1]
        assert len(store.versions(snap.connection, "acme")) == 3


def test_a_tenant_without_policies_is_told_so(runtime: Runtime) -> None:
    with runtime.snapshot("acme", OFFICER) as snap, pytest.raises(NotReadyError, match="policies adopt"):
        active(snap.connection, "nobody", snap.now)


def test_a_text_that_is_not_what_its_digest_names_is_not_used(runtime: Runtime) -> None:
    with runtime.engine.begin() as connection:
        store.keep_document(connection, "sha256:" + "0" * 64, b'{"format":2,"documents":{}}')
        with pytest.raises((NotReadyError, PolicyError)):
            service.by_digest(connection, "sha256:" + "0" * 64, PolicyCache())
        with pytest.raises(NotReadyError, match="missing or changed"):
            service.by_digest(connection, "sha256:" + "1" * 64, PolicyCache())


def test_a_cache_makes_room_and_never_says_which_digest_is_active(runtime: Runtime, more: Path) -> None:
    cache = PolicyCache(size=1)
    with runtime.snapshot("acme", OFFICER) as snap:
        first = active(snap.connection, "acme", snap.now, cache)
        assert cache.get(first.digest) is first
    with runtime.work("acme", OFFICER) as work:
        adopt(work, documents=shipped_documents(more))
    with runtime.snapshot("acme", OFFICER) as snap:
        second = active(snap.connection, "acme", snap.now, cache)
    assert second.digest != first.digest
    assert cache.get(first.digest) is None


def test_both_databases_keep_policies_alike(any_runtime: Runtime, more: Path) -> None:
    with any_runtime.work("acme", OFFICER) as work:
        digest = adopt(work, documents=shipped_documents(more))
    with any_runtime.snapshot("acme", OFFICER) as snap:
        assert active(snap.connection, "acme", snap.now, PolicyCache()).digest == digest
