"""Units of work over the two tables of this room, on both databases, with a catalogue of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from governance.database import make_engine, metadata
from governance.events import Actor
from governance.purposes import store
from governance.settings import Settings
from governance.work import Work

CATALOGUE = {
    "purposes": """
- id: marketing
  title: Telling people about our offers
  owner: marketing team
  lawful_basis: consent
  message_classes: [promotional, newsletter]
  data_classes: [contact]
  retention: 24 months
- id: analytics
  title: Understanding use
""",
    "capture-points": """
capture_points:
  - id: web-form
    title: Contact form
    owner: web team
    purposes: [marketing]
    double_opt_in: true
""",
    "lawful-bases": "- {id: consent, title: Consent}\n- {id: contract, title: Contract}\n",
    "message-classes": """
- {id: promotional, commercial: true, title: Offers}
- {id: newsletter, commercial: true, title: Newsletter}
- {id: security, commercial: false, title: Security notices}
""",
}


@pytest.fixture
def policies_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    (folder / "catalogue").mkdir(parents=True)
    for name, text in CATALOGUE.items():
        (folder / "catalogue" / f"{name}.yaml").write_text(text)
    (folder / "catalogue" / "data-classes.yaml").write_text("- {id: contact}\n- {id: behaviour}\n")
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def works(
    request: pytest.FixtureRequest, tmp_path: Path, policies_dir: Path, clock: Callable[[], object]
) -> Iterator[Callable[..., Work]]:
    """Make a unit of work of a tenant (all on one open transaction)."""
    url = f"sqlite:///{tmp_path}/main.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        database = server.create()
        url = server.url(database)
    engine = make_engine(url)
    settings = Settings.from_environ(
        {"GOVERNANCE_DATA_DIR": str(tmp_path), "GOVERNANCE_POLICIES_DIR": str(policies_dir)}
    )
    with engine.connect() as connection, connection.begin():
        metadata.create_all(connection, tables=[store.purpose, store.capture_point])

        def make(tenant_id: str = "acme") -> Work:
            return Work(
                connection,
                tenant_id,
                f"tnt_{tenant_id}",
                clock(),
                Actor("client_1"),
                resources={Settings: settings},
            )

        yield make
    engine.dispose()
    if request.param == "postgresql":
        server.drop(database)


@pytest.fixture
def work(works: Callable[..., Work]) -> Work:
    return works()
