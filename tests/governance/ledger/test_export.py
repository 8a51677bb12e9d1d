"""The export as an installation writes it: through runtime, vault and, on PostgreSQL, the fences."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.ledger import service
from governance.ledger.export import export_lines
from governance.ledger.fsck import fsck
from governance.ledger.note import parse_vkey, verify_checkpoint
from governance.ledger.verify import verify_export

ACTOR = Actor("client_test")


def test_an_installations_ledger_exports_verifies_and_passes_fsck(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        for number in range(300):
            work.record("consent.granted", subject_ref="sub_1", facts={"number": number})
    signer = any_runtime.vault.checkpoint_signer("governance")
    with any_runtime.work("acme", ACTOR) as work:
        held = service.checkpoint(work, signer)
        tenant_ref = work.tenant_ref
    with any_runtime.work("acme", ACTOR) as work:
        work.record("consent.withdrawn", subject_ref="sub_1")
    with any_runtime.work("acme", ACTOR) as work:
        service.checkpoint(work, signer)
    with any_runtime.snapshot("acme", ACTOR) as snapshot:
        lines = [line.encode() for line in export_lines(snapshot.connection, "acme", vkey=signer.vkey)]
        size = service.head(snapshot.connection, "acme")[0]
        assert fsck(snapshot.connection, "acme", signer.vkey) == []
        first = verify_checkpoint(held, [parse_vkey(signer.vkey)]).size
        assert service.consistency(snapshot.connection, "acme", first, size)
    result = verify_export(lines, vkey=signer.vkey, older_checkpoint=held)
    assert (result.ok, result.size, result.problems) == (True, size, ())
    assert result.checkpoint is not None
    assert result.checkpoint.origin == f"governance/{tenant_ref}"
