"""One effect per key, a result per line, files and screenings in the background."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from api.background import Background
from governance.bootstrap import COMMAND_LINE, Runtime
from governance.ledger import service as ledger
from tests.api.conftest import Caller, new_component
from tests.api.test_main_flow import PROMOTION, consent, person

KEY = {"Idempotency-Key": '"4c1b8e9a-1"'}
NDJSON = "application/x-ndjson"


def size(runtime: Runtime) -> int:
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        return ledger.head(snapshot.connection, "acme")[0]


def test_the_same_key_and_body_have_the_effect_once(any_caller: Caller, any_runtime: Runtime) -> None:
    person(any_caller)
    first = any_caller.post("/v1/consents", consent(status="requested", double_opt_in=True), headers=KEY)
    assert first.status_code == 201, first.data
    before = size(any_runtime)
    again = any_caller.post(
        "/v1/consents",
        consent(status="requested", double_opt_in=True),
        headers={"Idempotency-Key": "4c1b8e9a-1"},
    )
    assert again.status_code == 201, again.data
    assert size(any_runtime) == before
    one, two = first.get_json(), again.get_json()
    assert one["confirmation"].pop("token")
    assert two["confirmation"].pop("token") is None
    one.pop("receipt"), two.pop("receipt")
    assert one == two


def test_the_same_key_with_another_body_is_refused(caller: Caller, runtime: Runtime) -> None:
    person(caller)
    assert caller.post("/v1/consents", consent(), headers=KEY).status_code == 201
    before = size(runtime)
    assert caller.post("/v1/consents", consent(status="withdrawn"), headers=KEY).status_code == 422
    assert size(runtime) == before


def test_refusals_are_not_remembered(caller: Caller) -> None:
    assert caller.post("/v1/consents", consent(), headers=KEY).status_code == 404
    person(caller)
    assert caller.post("/v1/consents", consent(), headers=KEY).status_code == 201


def test_a_denied_act_is_not_remembered(caller: Caller) -> None:
    person(caller)
    move = {"subject": {"id": "crm-1"}, "to": "client"}
    denied = caller.post("/v1/lifecycle/transitions", move, headers=KEY)
    assert denied.status_code == 403, denied.data
    better = {**move, "evidence": {"contract_reference": "C-1"}, "because": "referred"}
    assert caller.post("/v1/lifecycle/transitions", better, headers=KEY).status_code == 201


def test_keys_are_a_callers_own_and_end_after_a_day(caller: Caller, runtime: Runtime, clock: Any) -> None:
    person(caller)
    body = {"event": "purchase"}
    first = caller.post("/v1/subjects/crm-1/events", body, headers=KEY).get_json()
    assert caller.post("/v1/subjects/crm-1/events", body, headers=KEY).get_json() == first
    other = Caller(caller.client, new_component(runtime))
    assert other.post("/v1/subjects/crm-1/events", body, headers=KEY).get_json()["id"] != first["id"]
    clock.forward(timedelta(hours=25))
    later = Caller(caller.client, caller.made)
    assert later.post("/v1/subjects/crm-1/events", body, headers=KEY).get_json()["id"] != first["id"]


@pytest.mark.parametrize("key", ["", " ", '"', '""', '"a', "a b", "é", '"' + "x" * 201 + '"'])
def test_a_key_that_is_no_string_is_refused(caller: Caller, key: str) -> None:
    person(caller)
    answer = caller.post(
        "/v1/consents", consent(), headers={"Idempotency-Key": key.encode().decode("latin-1")}
    )
    assert answer.status_code == 422


def test_neither_key_nor_body_is_readable_in_the_store(caller: Caller, runtime: Runtime) -> None:
    person(caller)
    key = "key-of-jane.roe@example.org"
    assert caller.post("/v1/consents", consent(), headers={"Idempotency-Key": key}).status_code == 201
    for file in runtime.settings.data_dir.rglob("*"):
        if file.is_file():
            assert b"jane.roe" not in file.read_bytes(), file.name


def lines(*documents: Any) -> bytes:
    return b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in documents)


def results(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.data
    assert answer.content_type == NDJSON
    return [json.loads(line) for line in answer.get_data().splitlines()]


def test_a_bad_line_never_stops_the_others(any_caller: Caller) -> None:
    person(any_caller)
    body = lines(
        consent(),
        b"{",
        consent(status="perhaps"),
        consent(subject={"id": "nobody"}),
        b"",
        consent(purpose="unheard-of"),
        consent(status="withdrawn"),
    )
    answer = any_caller.post("/v1/consents/batch", data=body, content_type=NDJSON)
    told = results(answer)
    assert [(each["line"], each["status"]) for each in told] == [
        (1, 201),
        (2, 400),
        (3, 422),
        (4, 404),
        (6, 422),
        (7, 201),
    ]
    assert told[0]["ledger"]["position"] < told[-1]["ledger"]["position"]
    assert told[1]["problem"]["status"] == 400
    state = any_caller.get("/v1/subjects/crm-1/consents").get_json()["consents"]
    assert {each["status"] for each in state} == {"withdrawn"}


def test_a_batch_with_a_key_has_each_lines_effect_once(any_caller: Caller, any_runtime: Runtime) -> None:
    person(any_caller)
    body = lines(consent(), consent(status="withdrawn"))
    first = results(any_caller.post("/v1/consents/batch", data=body, content_type=NDJSON, headers=KEY))
    before = size(any_runtime)
    again = results(any_caller.post("/v1/consents/batch", data=body, content_type=NDJSON, headers=KEY))
    assert size(any_runtime) == before
    assert [each["id"] for each in first] == [each["id"] for each in again]


def test_a_batch_has_at_most_a_thousand_lines_and_is_ndjson(caller: Caller) -> None:
    assert caller.post("/v1/consents/batch", data=b"{}\n" * 1001, content_type=NDJSON).status_code == 413
    assert caller.post("/v1/consents/batch", data=b"{}", content_type="application/json").status_code == 415


def test_messages_are_authorised_in_batches(any_caller: Caller) -> None:
    person(any_caller)
    any_caller.post("/v1/consents", consent())
    sends = [{"subject": {"id": who}, "message_id": f"m-{who}", **PROMOTION} for who in ("crm-1", "nobody")]
    told = results(any_caller.post("/v1/communications/batch", data=lines(*sends), content_type=NDJSON))
    assert [each["status"] for each in told] == [201, 403]
    assert told[1]["problem"]["decision"]["decision"] is False


MAPPING = """
mapping: leads
format: csv
subject:
  external_id: Id
attributes:
  country: {column: Country, values: {US: US, DE: DE}}
identifiers:
  - {column: Mail, type: email}
"""


def finished(app: Flask) -> None:
    background: Background = app.extensions["governance-background"]
    assert background.wait(30)


def test_a_file_is_taken_in_and_everyone_screened(any_caller: Caller, any_app: Flask) -> None:
    rows = "Id,Country,Mail\nA-1,US,a1@example.org\nA-2,DE,a2@example.org\nA-3,DE,no address\n"
    parts = {
        "file": (io.BytesIO(rows.encode()), "leads.csv"),
        "mapping": (io.BytesIO(MAPPING.encode()), "m.yaml"),
    }
    begun = any_caller.post("/v1/imports", data=parts, content_type="multipart/form-data")
    assert begun.status_code == 202, begun.data
    finished(any_app)
    done = any_caller.get(f"/v1/imports/{begun.get_json()['id']}").get_json()
    assert done["status"] == "completed", done
    assert done["counts"]["rows"] == 3
    assert [each["row"] for each in done["errors"]["items"]] == [3], done
    asked = any_caller.post("/v1/screenings", {"question": PROMOTION, "audience": {"all": True}})
    assert asked.status_code == 202, asked.data
    finished(any_app)
    path = f"/v1/screenings/{asked.get_json()['id']}"
    screening = any_caller.get(path).get_json()
    assert screening["status"] == "completed", screening
    assert screening["allowed"] + screening["denied"] == screening["total"] == 2
    answers = [json.loads(line) for line in any_caller.get(f"{path}/results").get_data().splitlines()]
    assert {each["id"] for each in answers} == {"A-1", "A-2"}
    assert any_caller.get(f"{path}/delta?since={screening['epoch']}").get_data() == b""
    assert any_caller.get(f"{path}/delta?since=1").status_code == 404


def test_ids_can_be_uploaded_for_a_screening(caller: Caller, app: Flask) -> None:
    person(caller)
    parts = {
        "question": json.dumps(PROMOTION),
        "file": (io.BytesIO(b"id\ncrm-1\nnobody\n"), "ids.csv"),
    }
    asked = caller.post("/v1/screenings", data=parts, content_type="multipart/form-data")
    assert asked.status_code == 202, asked.data
    finished(app)
    assert caller.get(f"/v1/screenings/{asked.get_json()['id']}").get_json()["total"] == 2


def test_a_mapping_with_a_typo_is_refused_with_its_line(caller: Caller) -> None:
    parts = {
        "file": (io.BytesIO(b"Id\n1\n"), "leads.csv"),
        "mapping": (
            io.BytesIO(MAPPING.replace("Country", "Land").replace("subject", "subjekt").encode()),
            "m.yaml",
        ),
    }
    answer = caller.post("/v1/imports", data=parts, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "subjekt" in answer.get_json()["detail"]
