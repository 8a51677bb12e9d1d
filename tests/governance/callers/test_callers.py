"""Components: scopes, secrets, tokens that were taken back."""

from datetime import timedelta

import pytest

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from governance.callers.model import SCOPES, check_scopes, is_secret_of
from governance.errors import ConflictError, InvalidError, NotFoundError


def test_scopes_come_in_published_order_and_unknown_ones_are_named() -> None:
    assert check_scopes(["admin", "evaluate", "evaluate"]) == ("evaluate", "admin")
    with pytest.raises(InvalidError, match="'evaluates'"):
        check_scopes(["evaluates"])
    with pytest.raises(InvalidError):
        check_scopes([])
    assert len(SCOPES) == len(set(SCOPES)) == 35


def test_a_component_is_known_again_by_its_secret_only(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", COMMAND_LINE) as work:
        made = callers.create_client(work, name="engine", scopes=["evaluate"])
    assert made.secret
    assert is_secret_of(made.component, made.secret)
    with any_runtime.engine.connect() as connection:
        assert callers.authenticate(connection, made.component.client_id, made.secret) == made.component
        assert callers.authenticate(connection, made.component.client_id, "wrong") is None
        assert callers.authenticate(connection, "client_" + "0" * 32, made.secret) is None
        assert callers.authenticate(connection, "\x00", made.secret) is None


def test_a_component_may_not_gain_what_its_maker_lacks(runtime: Runtime) -> None:
    with runtime.work("acme", COMMAND_LINE) as work, pytest.raises(InvalidError, match="maker lacks"):
        callers.create_client(work, name="x", scopes=["admin"], maker_scopes=["evaluate"])


@pytest.mark.parametrize("keys", [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "EC", "d": "x"}, {}])
def test_key_sets_hold_public_keys_only(runtime: Runtime, keys: dict[str, str]) -> None:
    with runtime.work("acme", COMMAND_LINE) as work, pytest.raises(InvalidError):
        callers.create_client(work, name="x", scopes=["evaluate"], jwks={"keys": [keys]})


def test_standing_follows_revocation_and_leaving(any_runtime: Runtime) -> None:
    runtime = any_runtime
    with runtime.work("acme", COMMAND_LINE) as work:
        made = callers.create_client(work, name="engine", scopes=["evaluate"])
        client_id = made.component.client_id
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        assert callers.standing(snapshot, client_id, "tok_1").good
        assert not callers.standing(snapshot, "client_unknown", "tok_1").good
    with runtime.work("acme", COMMAND_LINE) as work:
        for _ in range(2):
            callers.revoke_token(
                work, client_id=client_id, jti="tok_1", expires_at=work.now + timedelta(hours=1)
            )
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        assert not callers.standing(snapshot, client_id, "tok_1").good
        assert callers.standing(snapshot, client_id, "tok_2").good
    with runtime.work("acme", COMMAND_LINE) as work:
        callers.let_go(work, client_id)
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        assert not callers.standing(snapshot, client_id, "tok_2").good
    with pytest.raises(NotFoundError), runtime.work("acme", COMMAND_LINE) as work:
        callers.let_go(work, "client_unknown")


def test_a_client_assertion_proves_once(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", COMMAND_LINE) as work:
        assertion = ("jti-1", work.now + timedelta(minutes=1))
        callers.note_token(work, client_id="client_1", jti="tok_1", scopes=["evaluate"], assertion=assertion)
    with pytest.raises(ConflictError), any_runtime.work("acme", COMMAND_LINE) as work:
        callers.note_token(work, client_id="client_1", jti="tok_2", scopes=["evaluate"], assertion=assertion)


def test_an_unprintable_name_is_refused(runtime: Runtime) -> None:
    with runtime.work("acme", COMMAND_LINE) as work, pytest.raises(InvalidError):
        callers.create_client(work, name="a\nb", scopes=["evaluate"])


def test_what_has_expired_is_swept(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", COMMAND_LINE) as work:
        callers.revoke_token(
            work, client_id="client_1", jti="old", expires_at=work.now - timedelta(seconds=1)
        )
        callers.revoke_token(work, client_id="client_1", jti="new", expires_at=work.now + timedelta(hours=1))
    with any_runtime.work("acme", COMMAND_LINE) as work:
        assert callers.sweep(work) == 1
