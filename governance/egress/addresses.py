"""Where webhooks may go: the URL's form, and which addresses are nobody's inside. Pure.

The form is a closed grammar, not a list of tricks: one way to write a URL, so that no two readers can read it
differently. Addresses are refused by the special-purpose registries of IANA (RFC 6890 and its successors).
"""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass

from governance.errors import InvalidError

LONGEST_URL = 2000

_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9][a-z0-9.-]{0,252})"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/(?:[A-Za-z0-9._~!$&'()*+,;=:/-]|%[0-9A-Fa-f]{2})*)?"
    r"(?P<query>\?(?:[A-Za-z0-9._~!$&'()*+,;=:/?-]|%[0-9A-Fa-f]{2})*)?",
    re.ASCII,
)
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])", re.ASCII)
_INSIDE = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "svc",
    "localdomain",
    "home.arpa",
    "in-addr.arpa",
    "ip6.arpa",
    "onion",
    "invalid",
    "test",
    "alt",
)
"""Names that mean something inside a network only (RFC 6761, RFC 8375 and common practice)."""

_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's inner service, under an address that looks public
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""All that is assigned for the public internet; mapped, NAT64, unique local and link-local lie outside."""

_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20")
)
_ISATAP = (0x00005EFE, 0x02005EFE)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that has the form of a webhook's. `trusted`: the operator named this host and port.

    `inside`: named as a system's, it may lie anywhere in the operator's network.
    """

    url: str
    scheme: str
    host: str
    port: int
    trusted: bool
    inside: bool = False


def read_target(url: str, allowed: Collection[str] = (), *, inside: bool = False) -> Target:
    """Read a webhook's URL; InvalidError names what is wrong with it.

    `allowed` holds `host:port` pairs named by the operator: these may be loopback and speak plain HTTP; with
    `inside`, they may also be other machines of the operator's network.
    """
    found = _URL.fullmatch(url) if len(url) <= LONGEST_URL else None
    if found is None:
        raise _refused("Write https://host[:port]/path in lower-case ASCII, without user, `@` or fragment.")
    scheme, host = found["scheme"], found["host"].strip("[]")
    port = int(found["port"] or (443 if scheme == "https" else 80))
    trusted = f"{found['host']}:{port}" in allowed
    if trusted:
        return Target(url, scheme, host, port, trusted=True, inside=inside)
    if scheme != "https":
        raise _refused("Only https is allowed.")
    if port != 443 and not 1024 <= port <= 65535:
        raise _refused("The port must be 443 or one from 1024 to 65535.")
    _check_host(found["host"])
    return Target(url, scheme, host, port, trusted=False)


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet; False for what is no address at all."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(read, ipaddress.IPv4Address):
        return not any(read in network for network in _REFUSED_V4)
    if read.scope_id is not None or read not in _PUBLIC_V6:
        return False
    if any(read in network for network in _REFUSED_V6):
        return False
    return (int(read) >> 32) & 0xFFFFFFFF not in _ISATAP


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_link_local(address: str) -> bool:
    """Whether an address is that of a link only, where clouds keep their metadata services; True for none."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return True
    if isinstance(read, ipaddress.IPv6Address) and read.ipv4_mapped is not None:
        read = read.ipv4_mapped
    known = {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("168.63.129.16")}
    return read.is_link_local or read.is_unspecified or read.is_multicast or read in known


def _check_host(host: str) -> None:
    """Refuse what is neither a public address in its usual form nor a full name outside."""
    literal = host.strip("[]")
    if host.startswith("[") or re.fullmatch(r"[0-9.]+", host):
        if not is_public(literal):
            raise _refused("This address is not on the public internet.")
        return
    if not _NAME.fullmatch(host):
        raise _refused("The host must be a full domain name or an address in its usual form.")
    if any(host == inside or host.endswith(f".{inside}") for inside in _INSIDE):
        raise _refused("This name is one of an inner network.")


def _refused(complaint: str) -> InvalidError:
    return InvalidError("Webhooks go to public https addresses only.", fields={"url": [complaint]})
