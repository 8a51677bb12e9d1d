"""One request = one unit of work: who asks, its transaction, and the reply that leaves after commit."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from flask import Response, current_app, g, request, stream_with_context
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized

from api import disclosures, strict_json
from api.bearers import Reader, opens
from api.crossing import carried_through
from api.disclosures import Discloses
from api.tokens import Caller, InvalidToken
from governance.bootstrap import Runtime
from governance.errors import InvalidError, NotFoundError, SuspendedError
from governance.idempotency import service as idempotency
from governance.idempotency.model import Outcome, read_key
from governance.idempotency.service import Attempt
from governance.tenants import store as tenants
from governance.tenants.model import ACTIVE
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_MAC_BYTES = 12
_BAD_TOKEN = "The access token is malformed, expired, revoked or not for this service"


Document = Mapping[str, object]
Unit = TypeVar("Unit", bound=Snapshot)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a route answers.

    `document` may be a function: called once the work is sealed, when positions in the ledger are known.
    `kept`: what a repeat under the same Idempotency-Key is answered from (ids, codes, counts; never a secret,
    never personal data); None for refusals, which are not kept.
    """

    status: int
    document: Document | Callable[[], Document]
    kept: Document | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Effect = Callable[[Work], Reply | Response]
Again = Callable[[Work, Outcome], Reply]


@dataclass(frozen=True, slots=True)
class Pending:
    """An effect that happened in an open unit of work, before that is sealed.

    `attempt` is set if its outcome is to be remembered.
    """

    made: Reply | Response
    attempt: Attempt | None = None


def this_runtime() -> Runtime:
    """Give the runtime that the application was built with."""
    runtime: Runtime = current_app.extensions["governance"]
    return runtime


def reply(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a JSON document."""
    answer = Response(strict_json.write(document), status, content_type="application/json")
    for name, value in (headers or {}).items():
        answer.headers[name] = value
    return answer


def admit(
    scope: str,
    or_scope: str | None = None,
    *,
    even_suspended: bool = False,
    discloses: Discloses | None = None,
) -> None:
    """Let the bearer of a token with a fitting scope in, as `g.caller`; else 401 or 403, with a challenge.

    `even_suspended`: also while the tenant is suspended. `discloses`: what they are answered with.
    """
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise _refusal(Unauthorized, "Send `Authorization: Bearer …` with an access token.", "")
    reader: Reader = current_app.extensions["governance-reader"]
    try:
        caller = reader.read(token.strip())
    except InvalidToken:
        raise _bad_token() from None
    g.even_suspended = even_suspended
    g.caller, g.needed, g.opened = caller, (scope, or_scope), caller.scopes
    g.discloses = None
    if caller.staff_id is None:
        _check_scope()
    else:
        with request_snapshot():  # what staff may do is known to the database alone
            pass
    g.standing_checked = False
    g.discloses, g.disclosed = discloses, False


def this_caller() -> Caller:
    """Give who asks, with the scopes that are open; only on routes with a scope."""
    caller: Caller = g.caller
    return caller if caller.scopes == g.opened else replace(caller, scopes=g.opened)


@contextmanager
def request_work() -> Iterator[Work]:
    """Open this request's unit of work; it commits on leaving, before the reply goes out."""
    caller = this_caller()
    with ExitStack() as stack:
        work = _opened(stack, this_runtime().work(caller.tenant_id, caller.actor))
        check_standing(work)
        yield work


@contextmanager
def request_snapshot() -> Iterator[Snapshot]:
    """Open this request's consistent view; it begins after the request did."""
    caller = this_caller()
    with ExitStack() as stack:
        snapshot = _opened(stack, this_runtime().snapshot(caller.tenant_id, caller.actor))
        check_standing(snapshot)
        yield snapshot


def check_standing(snapshot: Snapshot) -> None:
    """Refuse a token that was taken back, or whose component, user or issuer left, as of this snapshot.

    The same for what the token opens: roles may have been taken away.
    """
    opened = opens(snapshot, g.caller)
    if opened is None:
        raise _bad_token()
    g.opened = opened
    _check_scope()
    if not g.even_suspended:
        refuse_suspended(snapshot)
    g.standing_checked = True
    disclosures.of_the_route(snapshot)


def refuse_suspended(snapshot: Snapshot) -> None:
    """Refuse what does not go on while the tenant is suspended; for routes of which some things do."""
    if tenants.state_of(snapshot.connection, snapshot.tenant_id) != ACTIVE:
        raise SuspendedError("This tenant is suspended: the answer to everything is no until it is resumed.")


def act(effect: Effect, *, again: Again | None = None, body: bytes | None = None) -> Response:
    """Run an effect in this request's unit of work, once per Idempotency-Key, and answer after the commit.

    `again` renders the answer to a repeat from what was kept; without it, what was kept is the answer. `body`
    tells requests apart where the body is not JSON. The effect may run again (`crossing`): it changes
    nothing outside its unit of work.
    """
    key = idempotency_key()
    sent = _fingerprint(body) if key else b""

    def once() -> Reply | Response:
        with request_work() as work:
            pending = start(work, effect, again, key=key, body=sent)
            work.seal()
            return finish(work, pending)

    made = carried_through(once)
    return made if isinstance(made, Response) else reply(made.document, made.status, made.headers)


def idempotency_key() -> str | None:
    """Give the request's Idempotency-Key, if it has one; InvalidError if it is none."""
    header = request.headers.get("Idempotency-Key")
    return None if header is None else read_key(header)


def start(work: Work, effect: Effect, again: Again | None, *, key: str | None, body: bytes) -> Pending:
    """Run an effect in an open unit of work, or find what to answer instead; `finish` it after sealing."""
    if key is None:
        return Pending(effect(work))
    attempt = idempotency.attempt(work, caller=this_caller().actor.ref, key=key, request=body)
    outcome = idempotency.recall(work, attempt)
    if outcome is not None:
        return Pending(Reply(outcome.status, outcome.kept) if again is None else again(work, outcome))
    before = len(work.events)
    made = effect(work)
    happened = len(work.events) > before and isinstance(made, Reply) and made.kept is not None
    return Pending(made, attempt if happened else None)


def finish(work: Work, pending: Pending) -> Reply | Response:
    """Render what could not be rendered before sealing, and remember the outcome."""
    made = pending.made
    if isinstance(made, Response):
        return made
    if pending.attempt is not None and made.kept is not None:
        idempotency.remember(work, pending.attempt, made.status, made.kept)
    return replace(made, document=made.document()) if callable(made.document) else made


def ledger_place(work: Work, event_id: str) -> dict[str, object]:
    """Write where a sealed event lies."""
    sealing = work.sealings[event_id]
    return {"position": sealing.position, "leaf_hash": sealing.leaf_hash}


def write_cursor(snapshot: Snapshot, use: str, values: Sequence[object]) -> str:
    """Write where a list goes on, as opaque text that only this tenant's same list can read again."""
    body = strict_json.write(list(values))
    return urlsafe_b64encode(_mac(snapshot, use, body) + body).decode().rstrip("=")


def read_cursor(
    snapshot: Snapshot, use: str, cursor: str | None, *, member: str = "after"
) -> list[Any] | None:
    """Read a cursor; None at the beginning of a list. Raises InvalidError if it is not one of this list's."""
    if cursor is None:
        return None
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        if hmac.compare_digest(raw[:_MAC_BYTES], _mac(snapshot, use, raw[_MAC_BYTES:])):
            values: list[Any] = strict_json.read(raw[_MAC_BYTES:])
            return values
    except (ValueError, HTTPException):
        pass
    raise InvalidError(f"`{member}` is not a cursor of this list; use what the page before gave.")


def page(
    snapshot: Snapshot, use: str, items: list[Any], limit: int, key: Callable[[Any], Sequence[object]]
) -> Any:
    """Give `{items, next}` from up to `limit + 1` items: the extra one shows that the list goes on."""
    more = len(items) > limit
    shown = items[:limit]
    return {"items": shown, "next": write_cursor(snapshot, use, key(shown[-1])) if more else None}


def page_from(snapshot: Snapshot, use: str, items: Sequence[object], more: object) -> dict[str, object]:
    """Give `{items, next}` where the domain says itself where the list goes on (None at its end)."""
    return {"items": items, "next": None if more is None else write_cursor(snapshot, use, [more])}


def streamed(lines: Callable[[Snapshot], Iterator[bytes]], content_type: str) -> Response:
    """Answer with a stream that is read from one consistent view, open until the last byte is out.

    `lines` is called before the first byte: what it raises at once is answered as a problem.
    """
    stack = ExitStack()
    try:
        found = lines(stack.enter_context(request_snapshot()))
    except BaseException:
        stack.close()
        raise
    answer = Response(stream_with_context(found), content_type=content_type)
    answer.call_on_close(stack.close)
    return answer


def _mac(snapshot: Snapshot, use: str, body: bytes) -> bytes:
    return snapshot.resource(Vault).mac(snapshot.tenant_id, f"cursor:{use}", body)[:_MAC_BYTES]


def _fingerprint(body: bytes | None) -> bytes:
    sent = request.get_data(cache=True) if body is None else body
    return b"\n".join((request.method.encode(), request.full_path.encode(), sent))


def _check_scope() -> None:
    """Refuse (403) what neither scope of the route opens."""
    scope, or_scope = g.needed
    if scope not in g.opened and or_scope not in g.opened:
        raise _refusal(
            Forbidden,
            f"This needs the scope {scope!r}, which the access token lacks.",
            f'error="insufficient_scope", scope="{scope}"',
        )


def _opened(stack: ExitStack, opening: AbstractContextManager[Unit]) -> Unit:
    """Open it for the length of the stack; a token of a tenant that is gone is no longer good."""
    try:
        return stack.enter_context(opening)
    except NotFoundError:
        raise _bad_token() from None


def _bad_token() -> HTTPException:
    """The one answer to every token that is not good: what is wrong with it is not its bearer's business."""
    return _refusal(
        Unauthorized, f"{_BAD_TOKEN}.", f'error="invalid_token", error_description="{_BAD_TOKEN}"'
    )


def _refusal(kind: type[Unauthorized] | type[Forbidden], detail: str, parameters: str) -> HTTPException:
    error = kind(detail)
    challenge = 'Bearer realm="governance"' + (f", {parameters}" if parameters else "")
    error.data = {"headers": {"WWW-Authenticate": challenge}}  # type: ignore[union-attr]  # as webargs does
    return error
