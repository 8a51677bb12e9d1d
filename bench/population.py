"""Makes a million people in seconds, by writing rows straight into the tables.

**It bypasses the ledger and the vault**: no event is recorded, sealed columns hold random bytes, and `fsck`
of such a store is rightly red. For measurements only; people come in through `governance import` or the API.

The mix is that of a CRM: four in five are known by id and attributes only; one in five has contact points,
and of these about half said something (grants, requests, withdrawals, objections), some are suppressed or
undeliverable. Countries, stages and the ages of purchases follow fixed shares. The same for the same number.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from governance.consent.tables import consent_state, suppression
from governance.database import is_sqlite, make_engine, micros
from governance.subjects.store import contact_point, subject

KINDS_OF_PEOPLE = 30_000
"""How many different combinations of attributes there are; each is had by many of a million."""

_COUNTRIES = {
    "US": 34, "DE": 12, "GB": 8, "FR": 7, "CA": 6, "IN": 6, "BR": 4, "IT": 3, "ES": 3, "NL": 2, "PL": 2,
    "AT": 1, "CH": 1, "SE": 1, "AU": 2, "JP": 2, "MX": 1, None: 5,
}  # fmt: skip
_REGIONS = {"US": ("US-CA", "US-NY", "US-TX", "US-WA", None), "CA": ("CA-QC", "CA-ON", "CA-BC", None)}
_STAGES = {"lead": 50, "contact": 18, "client": 14, "active_service": 6, "dormant": 6, "churned": 4, None: 2}
_BOUGHT = frozenset(("client", "active_service", "dormant", "churned"))
_SAID = {
    "granted": 26, "claimed": 6, "requested": 4, "withdrawn": 9, "objected": 4, "suppressed": 5,
    "undeliverable": 4, "nothing": 42,
}  # fmt: skip
_HEX = 32
_ROWS = 20_000


def make(
    database_url: str, tenant_id: str, people: int, *, seed: int = 1, epoch: datetime | None = None
) -> None:
    """Write so many people of a tenant into an installed database; takes some 20 s for a million.

    External ids are `crm-1` to `crm-<people>`. `epoch` (default: now) is the instant before which everything
    happened. Bypasses ledger and vault: see above.
    """
    engine = make_engine(database_url)
    try:
        _write(engine, _Maker(tenant_id, people, seed, epoch=epoch or datetime.now(UTC)))
        _analyze(engine)
    finally:
        engine.dispose()


def external_ids(people: int, count: int, *, seed: int = 2) -> list[str]:
    """So many ids of a population, chosen by chance."""
    dice = random.Random(seed)
    return [f"crm-{dice.randrange(1, people + 1)}" for _ in range(count)]


class _Maker:
    """Rows of all four tables as tuples in the order of the tables' columns."""

    def __init__(self, tenant_id: str, people: int, seed: int, epoch: datetime) -> None:
        self.tenant_id, self.people, self.now = tenant_id, people, epoch
        self.dice = random.Random(seed)
        self.kinds = [self._attributes() for _ in range(min(people, KINDS_OF_PEOPLE))]
        self.start = int((epoch - timedelta(days=1)).timestamp() * 1000)

    def batches(self) -> Iterator[dict[sa.Table, list[tuple[Any, ...]]]]:
        """All rows, some 20,000 people at a time."""
        for first in range(1, self.people + 1, _ROWS):
            rows: dict[sa.Table, list[tuple[Any, ...]]] = {
                subject: [], contact_point: [], consent_state: [], suppression: []
            }  # fmt: skip
            for number in range(first, min(first + _ROWS, self.people + 1)):
                ref = self._ref("sub", number)
                kind = self.kinds[self.dice.randrange(len(self.kinds))]
                rows[subject].append((self.tenant_id, ref, f"crm-{number}", *kind))
                if number % 5 == 0:
                    self._reachable(ref, number, rows)
            yield rows

    def _ref(self, prefix: str, number: int) -> str:
        """A reference as `governance.ids` makes them, in order of time: fifty people a millisecond."""
        return f"{prefix}_{self.start + number // 50:012x}{number:08x}{self.dice.getrandbits(48):012x}"

    def _attributes(self) -> tuple[Any, ...]:
        dice, now = self.dice, self.now
        country = _pick(dice, _COUNTRIES)
        stage = _pick(dice, _STAGES)
        bought = stage in _BOUGHT
        ended = stage in ("dormant", "churned") and dice.random() < 0.7
        since = self._ago(1000)
        values = {
            "country": country,
            "region": dice.choice(_REGIONS.get(country or "", (None,))),
            "time_zone": "Europe/Berlin" if country == "DE" else None,
            "customer_type": dice.choice(("consumer", "consumer", "consumer", "business", None)),
            "birth_month": f"{dice.randrange(1940, 2012)}-{dice.randrange(1, 13):02d}"
            if dice.random() < 0.2
            else None,
            "acquired": dice.choice(("person", "person", "import", "acquired_list", "unknown")),
            "stage_relationship": stage,
            "stage_since": since,
            "restricted": dice.random() < 0.003,
            "erasure_pending": dice.random() < 0.001,
            "erased": False,
            "held": dice.random() < 0.002,
            "last_purchase_at": self._ago(1500) if bought else None,
            "last_inquiry_at": self._ago(600) if dice.random() < 0.3 else None,
            "last_contact_at": self._ago(900) if dice.random() < 0.4 else None,
            "contract_state": ("ended" if ended else "in_force") if bought else "none",
            "contract_ended_at": self._ago(1000) if ended else None,
            "subscription_state": "in_force" if stage == "active_service" else "none",
            "subscription_ended_at": None,
            "notice_given": True,
            "invoice_open": False,
            "warranty_open": False,
            "dispute_open": False,
            "created_at": now,
            "updated_at": now,
        }
        return tuple(values.get(column.name) for column in list(subject.columns)[3:])

    def _reachable(self, ref: str, number: int, rows: dict[sa.Table, list[tuple[Any, ...]]]) -> None:
        """Contact points of one person, and what was said about them."""
        dice = self.dice
        said = _pick(dice, _SAID)
        points = []
        for kind in ("email", "phone") if dice.random() < 0.3 else ("email",):
            point = self._ref("pnt", number)
            points.append(point)
            state = "undeliverable" if said == "undeliverable" and kind == "email" else "open"
            values = {
                "tenant_id": self.tenant_id,
                "subject_ref": ref,
                "point_ref": point,
                "type": kind,
                "value_sealed": dice.randbytes(48),
                "blind_index": self._hash(),
                "suppression_hash": (hashed := self._hash()),
                "state": state,
                "verified": True,
                "subscriber": None,
                "since": self.now,
                "origin_ref": ref,
            }
            rows[contact_point].append(_row(contact_point, values))
            if said == "suppressed" and dice.random() < 0.3:
                rows[suppression].append(self._bar(ref, hashed, number))
        rows[consent_state] += self._cells(ref, points[0], said)

    def _cells(self, ref: str, point: str, said: str) -> list[tuple[Any, ...]]:
        at = self._ago(900)
        yes = {"pos_status": "granted", "pos_seq": 1, "pos_at": at, "pos_by_person": True}
        no = {"neg_seq": 1, "neg_at": at}
        cells: dict[str, list[tuple[str, str, str, str, dict[str, Any]]]] = {
            "granted": [("marketing", "email", each, "consent", yes) for each in ("", point)],
            "claimed": [
                ("marketing", "email", "", "claim", {**yes, "pos_status": "unproven", "pos_by_person": False})
            ],
            "requested": [("marketing", "email", point, "request", {**yes, "pos_status": "requested"})],
            "withdrawn": [("marketing", "email", "", "consent", {**no, "neg_status": "withdrawn"})],
            "objected": [("", "", "", "objection", {**no, "neg_status": "marketing"})],
            "suppressed": [("", "email", "", "suppression", {**no, "neg_status": "marketing"})],
        }
        return [
            _row(
                consent_state,
                {
                    "tenant_id": self.tenant_id,
                    "subject_ref": ref,
                    "purpose": purpose,
                    "controller": "",
                    "channel": channel,
                    "topic": "",
                    "point_ref": place,
                    "kind": kind,
                    "pos_by_person": False,
                    **values,
                },
            )
            for purpose, channel, place, kind, values in cells.get(said, [])
        ]

    def _bar(self, ref: str, hashed: str, number: int) -> tuple[Any, ...]:
        values = {
            "tenant_id": self.tenant_id,
            "suppression_hash": hashed,
            "suppression_id": self._ref("sup", number),
            "scope": "marketing",
            "purpose": "",
            "controller": "",
            "channel": "",
            "topic": "",
            "origin_subject_ref": ref,
            "reason": "complaint",
            "occurred_at": self.now,
            "recorded_at": self.now,
            "event_id": self._ref("evt", number),
        }
        return _row(suppression, values)

    def _hash(self) -> str:
        return f"{self.dice.getrandbits(256):064x}"

    def _ago(self, days: int) -> datetime:
        return self.now - timedelta(days=self.dice.randrange(1, days), seconds=self.dice.randrange(86_400))


def _row(table: sa.Table, values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(values.get(column.name) for column in table.columns)


def _pick(dice: random.Random, shares: dict[Any, int]) -> Any:
    return dice.choices(list(shares), list(shares.values()))[0]


def _write(engine: Engine, maker: _Maker) -> None:
    with engine.begin() as connection:
        for rows in maker.batches():
            for table, part in rows.items():
                if is_sqlite(connection):
                    _into_sqlite(connection, table, part)
                else:
                    _into_postgresql(connection, table, part)


def _into_sqlite(connection: Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    cursor = connection.connection.cursor()
    marks = ",".join("?" * len(table.columns))
    cursor.executemany(f"INSERT INTO {table.name} VALUES ({marks})", map(_for_sqlite, rows))


def _for_sqlite(row: Iterable[Any]) -> list[Any]:
    return [micros(value) if isinstance(value, datetime) else value for value in row]


def _into_postgresql(connection: Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    # As the owner of the tables: row-level security binds the application's role, not this one.
    cursor: Any = connection.connection.cursor()
    names = ", ".join(column.name for column in table.columns)
    with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _analyze(engine: Engine) -> None:
    """Let the database know its sizes, as it would after a while by itself (PostgreSQL's autovacuum)."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
