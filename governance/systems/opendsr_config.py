"""The config of a processor that speaks OpenDSR: what may stand in it. Pure, but for the check of its URL."""

import re
from collections.abc import Mapping

from governance.systems import far_side
from governance.systems.connector import Draft
from governance.systems.opendsr_signature import is_pem

TYPES = {"external_id": "controller_customer_id", "email": "email"}
_FORMATS = ("raw", "sha1", "md5", "sha256")
_PLAIN = {
    "domain", "regulation", "identities", "poll_hours", "certificate", "authorities", "controller_id",
    "results_hosts",
}  # fmt: skip
_HOST = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
POLL_HOURS = 24


def complaints(draft: Draft) -> dict[str, list[str]]:
    """What is wrong with a config, by member."""
    found: dict[str, list[str]] = {}
    config = draft.config
    for each in sorted(set(config) - _PLAIN):
        found[each[:40]] = [f"Use only url, authorization, {', '.join(sorted(_PLAIN))}."]
    wrong = far_side.check_url(draft, draft.secrets.get("url", ""))
    if wrong:
        found["url"] = [wrong]
    domain = config.get("domain")
    if not isinstance(domain, str) or not domain or domain != domain.lower() or "/" in domain:
        found["domain"] = ["Name the processor's OpenDSR domain, in small letters, e.g. opendsr.example.com."]
    if config.get("regulation", "gdpr") not in ("gdpr", "ccpa"):
        found["regulation"] = ["Use gdpr or ccpa."]
    identities = config.get("identities", [])
    if not isinstance(identities, list) or not all(_is_identity(each) for each in identities):
        found["identities"] = [
            f"List objects with type ({', '.join(TYPES)}) and format ({', '.join(_FORMATS)})."
        ]
    hosts = config.get("results_hosts", [])
    if not isinstance(hosts, list) or not all(
        isinstance(each, str) and _HOST.fullmatch(each) for each in hosts
    ):
        found["results_hosts"] = ["List host names in small letters, without scheme, port or path."]
    hours = config.get("poll_hours", POLL_HOURS)
    if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= 720:
        found["poll_hours"] = ["Use a whole number of hours from 1 to 720."]
    for name in ("certificate", "authorities"):
        pem = config.get(name)
        if pem is not None and not (isinstance(pem, str) and is_pem(pem)):
            found[name] = ["Send certificates in PEM."]
    return found


def _is_identity(each: object) -> bool:
    known = list(TYPES)
    return isinstance(each, Mapping) and each.get("type") in known and each.get("format") in _FORMATS
