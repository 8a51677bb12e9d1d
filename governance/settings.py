"""Everything told from outside: `GOVERNANCE_*` variables, read once, all gaps named at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from governance.errors import NotReadyError

_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")

_HOST_AND_PORT = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+):[0-9]{1,5}")
_SYSTEM_PLACE = re.compile(rf"(?:[A-Za-z0-9_-]+=)?(?:{_HOST_AND_PORT.pattern}|/[^=]*)")


@dataclass(frozen=True, slots=True)
class Settings:
    """How this installation is set up. URLs are SQLAlchemy URLs; lifetimes are in seconds."""

    data_dir: Path
    database_url: str
    keyring_url: str
    decision_log_url: str
    root_key_file: Path
    issuer: str
    public_url: str
    policies_dir: Path | None
    token_lifetime: int = 3600
    session_lifetime: int = 28_800
    max_body_bytes: int = 1_048_576
    max_batch_bytes: int = 16_777_216
    probe_term_days: int = 60
    log_level: str = "info"
    metrics: bool = True
    webhook_allow: frozenset[str] = frozenset()
    system_allow: frozenset[str] = frozenset()
    opendsr_certificate_file: Path | None = None
    opendsr_key_file: Path | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings; raises NotReadyError naming every variable that cannot be used."""
        complaints: list[str] = []
        data_dir = Path(environ.get("GOVERNANCE_DATA_DIR", "./var")).absolute()
        public_url = environ.get("GOVERNANCE_PUBLIC_URL", "http://127.0.0.1:8080").rstrip("/")
        policies = environ.get("GOVERNANCE_POLICIES_DIR")
        if policies and not Path(policies).is_dir():
            complaints.append(f"GOVERNANCE_POLICIES_DIR names {policies!r}, which is no folder")

        def number(name: str, default: int) -> int:
            text = environ.get(name, str(default))
            if not text.isdigit() or int(text) == 0:
                complaints.append(f"{name} must be a whole number above zero, not {text!r}")
                return default
            return int(text)

        webhook_allow = frozenset(environ.get("GOVERNANCE_WEBHOOK_ALLOW", "").replace(",", " ").split())
        if not all(_HOST_AND_PORT.fullmatch(each) for each in webhook_allow):
            complaints.append("GOVERNANCE_WEBHOOK_ALLOW must be a list of host:port, such as 127.0.0.1:9000")
        system_allow = frozenset(environ.get("GOVERNANCE_SYSTEM_ALLOW", "").replace(",", " ").split())
        if not all(_SYSTEM_PLACE.fullmatch(each) for each in system_allow):
            complaints.append(
                "GOVERNANCE_SYSTEM_ALLOW must be a list of host:port and of folders, such as "
                "crm-db.example.org:5432 or acme=/srv/crm (for the tenant acme only)"
            )

        certificate, certificate_key = (
            Path(environ[name]).absolute() if environ.get(name) else None
            for name in ("GOVERNANCE_OPENDSR_CERTIFICATE_FILE", "GOVERNANCE_OPENDSR_KEY_FILE")
        )
        if (certificate is None) != (certificate_key is None):
            complaints.append(
                "GOVERNANCE_OPENDSR_CERTIFICATE_FILE and GOVERNANCE_OPENDSR_KEY_FILE go together"
            )

        settings = cls(
            data_dir=data_dir,
            database_url=_driver(
                environ.get("GOVERNANCE_DATABASE_URL", f"sqlite:///{data_dir}/governance.db")
            ),
            keyring_url=_driver(environ.get("GOVERNANCE_KEYRING_URL", f"sqlite:///{data_dir}/keyring.db")),
            decision_log_url=_driver(
                environ.get("GOVERNANCE_DECISION_LOG_URL", f"sqlite:///{data_dir}/decisions.db")
            ),
            root_key_file=Path(
                environ.get("GOVERNANCE_ROOT_KEY_FILE", str(data_dir / "root.key"))
            ).absolute(),
            issuer=environ.get("GOVERNANCE_ISSUER", public_url).rstrip("/"),
            public_url=public_url,
            policies_dir=Path(policies).absolute() if policies else None,
            token_lifetime=number("GOVERNANCE_TOKEN_LIFETIME", 3600),
            session_lifetime=number("GOVERNANCE_SESSION_LIFETIME", 28_800),
            max_body_bytes=number("GOVERNANCE_MAX_BODY_BYTES", 1_048_576),
            max_batch_bytes=number("GOVERNANCE_MAX_BATCH_BYTES", 16_777_216),
            probe_term_days=number("GOVERNANCE_PROBE_TERM_DAYS", 60),
            log_level=environ.get("GOVERNANCE_LOG_LEVEL", "info"),
            metrics=environ.get("GOVERNANCE_METRICS", "on") not in ("off", "0", "false"),
            webhook_allow=webhook_allow,
            system_allow=system_allow,
            opendsr_certificate_file=certificate,
            opendsr_key_file=certificate_key,
        )
        for name, url in (("GOVERNANCE_PUBLIC_URL", public_url), ("GOVERNANCE_ISSUER", settings.issuer)):
            if not url.startswith(("http://", "https://")):
                complaints.append(f"{name} must start with https:// (or http:// on loopback)")
        for name, url in (
            ("GOVERNANCE_DATABASE_URL", settings.database_url),
            ("GOVERNANCE_KEYRING_URL", settings.keyring_url),
            ("GOVERNANCE_DECISION_LOG_URL", settings.decision_log_url),
        ):
            if not _is_database(url):  # never repeated: it may hold a password
                complaints.append(
                    f"{name} must be like sqlite:////path/file.db or postgresql://user@host/name"
                )
        if complaints:
            raise NotReadyError("The settings cannot be used: " + "; ".join(complaints) + ".")
        return settings

    def places_of(self, tenant_id: str) -> frozenset[str]:
        """Where the operator lets this tenant's systems lie: places for everybody, `tenant=place` for one."""
        places = set()
        for each in self.system_allow:
            tenant, equals, place = each.partition("=")
            if not equals:
                places.add(each)
            elif tenant == tenant_id:
                places.add(place)
        return frozenset(places)


def _driver(url: str) -> str:
    """Name psycopg 3 where a plain PostgreSQL URL was given."""
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


def _is_database(url: str) -> bool:
    """Whether this is an address of a database that the service can use."""
    try:
        return make_url(url).drivername in _DRIVERS
    except (ArgumentError, ValueError):
        return False
