"""Links that are sent to a person: a token that also says which tenant it belongs to.

`<tenant_ref>.<secret>`: the tenant's random reference, so that the right tenant is asked before anything is
known about the person, and the secret of which only a hash is stored.
"""

import re

from flask import request

from governance.bootstrap import Runtime
from governance.database import for_reading
from governance.errors import NotFoundError
from governance.events import Actor
from governance.tenants import store as tenants

PERSON = Actor("data-subject", "person")
"""Who acts on a page behind a link: whoever holds it."""

_FORM = re.compile(r"([A-Za-z0-9_]{1,64})\.([A-Za-z0-9_-]{16,200})")


def write(tenant_ref: str, secret: str) -> str:
    """Write a link's token."""
    return f"{tenant_ref}.{secret}"


def secret_for(tenant_ref: str, token: str) -> str:
    """Give the secret of a token that a component of this tenant hands in; NotFoundError if another's."""
    found = _FORM.fullmatch(token)
    if found is None or found.group(1) != tenant_ref:
        raise NotFoundError("This link is not known.")
    return found.group(2)


def open_link(runtime: Runtime, token: str) -> tuple[str, str]:
    """Give the tenant's id and the secret of a link's token; NotFoundError if it is no link of ours."""
    found = _FORM.fullmatch(token)
    if found is not None:
        with runtime.engine.connect() as plain, for_reading(plain).begin():
            tenant = tenants.find_by_ref(plain, found.group(1))
        if tenant is not None:
            return tenant.tenant_id, found.group(2)
    raise NotFoundError("This link is not known.")


def signals_opt_out() -> bool:
    """Whether the request carries Global Privacy Control (`Sec-GPC: 1`).

    Of several such headers one that is exactly `1` suffices (W3C GPC). A WSGI server hands them over folded
    into one, `0,1`: so a member that is `1` counts, also of a single header `1,1`, in the person's favour.
    """
    return any(member.strip(" \t") == "1" for member in request.headers.get("Sec-GPC", "").split(","))
