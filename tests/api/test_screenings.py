"""Screenings over HTTP: overlap, win-back, files of ids, authorising in batches, what changed since."""

import csv
import io
import json
from typing import Any

from flask import Flask

from api import spreadsheets
from api.background import Background
from tests.api.conftest import Caller
from tests.api.test_main_flow import PROMOTION, consent


def lead(caller: Caller, name: str, country: str = "US") -> None:
    body = {
        "identifiers": [{"type": "email", "value": f"{name}@example.org"}],
        "attributes": {"country": country},
        "relationship": "lead",
    }
    assert caller.put(f"/v1/subjects/{name}", body).status_code == 201


def screen(caller: Caller, app: Flask, audience: Any = None) -> dict[str, Any]:
    """Screen everyone (or an audience) about a promotion and give the finished screening."""
    asked = caller.post("/v1/screenings", {"question": PROMOTION, "audience": audience or {"all": True}})
    assert asked.status_code == 202, asked.data
    return finished(caller, app, asked.get_json()["id"])


def finished(caller: Caller, app: Flask, screening_id: str) -> dict[str, Any]:
    background: Background = app.extensions["governance-background"]
    assert background.wait(30)
    done: dict[str, Any] = caller.get(f"/v1/screenings/{screening_id}").get_json()
    assert done["status"] == "completed", done
    return done


def test_whom_a_screening_allowed_is_authorised_page_by_page(any_caller: Caller, any_app: Flask) -> None:
    for number in range(5):
        lead(any_caller, f"crm-{number}")
    done = screen(any_caller, any_app)
    left = consent(subject={"id": "crm-3"}, status="withdrawn", contact_point=None)
    assert any_caller.post("/v1/consents", left).status_code == 201
    body = {"screening": done["id"], "campaign": "spring", "limit": 2}
    pages = []
    after = None
    while not pages or after is not None:
        told = any_caller.post("/v1/communications/batch", {**body, "after": after})
        assert told.status_code == 200, told.data
        pages.append(told.get_json())
        after = pages[-1]["next"]
    items = {each["subject"]["id"]: each for each_page in pages for each in each_page["items"]}
    assert len(items) == 5
    assert items["crm-3"]["status"] == 403
    assert {each["status"] for name, each in items.items() if name != "crm-3"} == {201}
    assert sum(each["authorised"] for each in pages) == 4
    assert sum(each["denied"] for each in pages) == 1
    reasons = {each["code"]: each["count"] for each_page in pages for each in each_page["reasons"]}
    assert reasons["consent-withdrawn"] == 1
    first = items["crm-0"]
    assert first["headers"]["List-Unsubscribe"]
    again = any_caller.post("/v1/communications/batch", {**body, "limit": 1000}).get_json()
    assert (again["authorised"], again["repeated"], again["denied"]) == (0, 4, 1)
    assert {each["id"] for each in again["items"] if "id" in each} == {
        each["id"] for each in items.values() if "id" in each
    }
    outcome = any_caller.post(f"/v1/communications/{first['id']}/outcomes", {"outcome": "delivered"})
    assert outcome.status_code == 201
    last = any_caller.post("/v1/communications/batch", body | {"limit": 1000}).get_json()
    assert (last["repeated"], last["already_handed_over"]) == (3, 1)


def test_authorising_from_a_screening_refuses_what_it_cannot_use(caller: Caller, app: Flask) -> None:
    lead(caller, "crm-1")
    done = screen(caller, app)
    path = "/v1/communications/batch"
    assert caller.post(path, {"screening": "scr_none"}).status_code == 404
    assert caller.post(path, {"screening": done["id"], "limit": 1001}).status_code == 422
    assert caller.post(path, {"screening": done["id"], "after": "forged"}).status_code == 422
    assert caller.post(path, {"screening": done["id"], "surprise": 1}).status_code == 422


def test_of_a_file_each_bad_line_is_reported_and_no_id_is_lost(any_caller: Caller, any_app: Flask) -> None:
    lead(any_caller, "crm-1")
    content = b"\xef\xbb\xbfid;name\r\ncrm-1;A\r\n\r\nanna@example.org;B\r\ncrm-1;C\r\nnobody;D\r\n;E\r\n"
    parts = {"question": json.dumps(PROMOTION), "file": (io.BytesIO(content), "audience.csv")}
    begun = any_caller.post("/v1/screenings", data=parts, content_type="multipart/form-data")
    assert begun.status_code == 202, begun.data
    assert begun.get_json()["audience"] == {"ids": 2, "duplicates": 1, "rejected": 2}
    done = finished(any_caller, any_app, begun.get_json()["id"])
    assert done["audience"] == {"ids": 2, "duplicates": 1, "rejected": 2}
    assert done["total"] == 2
    path = f"/v1/screenings/{done['id']}"
    told = [json.loads(each) for each in any_caller.get(f"{path}/rejected").get_data().splitlines()]
    assert [(each["line"], each["fault"]) for each in told] == [(4, "address"), (7, "no-id")]
    assert "anna" not in json.dumps(told)
    answers = [json.loads(each) for each in any_caller.get(f"{path}/results").get_data().splitlines()]
    assert {each["id"] for each in answers} == {"crm-1", "nobody"}
    table = any_caller.get(f"{path}/results?format=csv")
    assert table.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(table.get_data(as_text=True))))
    assert {row["id"]: row["decision"] for row in rows} == {each["id"]: each["decision"] for each in answers}


def test_a_file_without_any_id_is_refused_with_its_lines(caller: Caller) -> None:
    for content in (b"", b"id\nanna@example.org\n"):
        parts = {"question": json.dumps(PROMOTION), "file": (io.BytesIO(content), "audience.csv")}
        refused = caller.post("/v1/screenings", data=parts, content_type="multipart/form-data")
        assert refused.status_code == 422
        assert b"anna" not in refused.data
    assert refused.get_json()["errors"]["file"][0].startswith("Line 2: ")


def test_a_cell_that_a_spreadsheet_would_reckon_with_is_made_text() -> None:
    for hostile in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        assert spreadsheets.cell(hostile) == f"'{hostile}"
    [text] = spreadsheets.table(("id", "codes"), [{"id": "=HYPERLINK(1)", "codes": ["a", "b"]}, {"id": None}])
    assert text == b"id,codes\r\n'=HYPERLINK(1),a b\r\n,\r\n"


def test_the_overlap_of_reasons_adds_up(caller: Caller, app: Flask) -> None:
    for number, country in enumerate(("US", "DE", "DE")):
        lead(caller, f"crm-{number}", country)
    objected = {"subject": {"id": "crm-2"}, "scope": "all"}
    assert caller.post("/v1/objections", objected).status_code == 201
    done = screen(caller, app)
    overlap = {tuple(each["codes"]): each["count"] for each in done["overlap"]}
    assert sum(overlap.values()) == done["denied"] == 2
    assert overlap == {("consent-missing",): 1, ("objection", "consent-missing"): 1}
    assert done["alone"] == [{"code": "objection", "count": 0}, {"code": "consent-missing", "count": 1}]
    for each in done["reasons"]:
        assert each["count"] == sum(people for codes, people in overlap.items() if each["code"] in codes)


def test_the_win_back_list_is_streamed(caller: Caller, app: Flask) -> None:
    lead(caller, "crm-1")
    question = {**PROMOTION, "channel": "sms"}
    asked = caller.post("/v1/screenings", {"question": question, "audience": {"all": True}})
    done = finished(caller, app, asked.get_json()["id"])
    assert done["denied"] == 1
    told = caller.get(f"/v1/screenings/{done['id']}/win-back")
    assert told.mimetype == "application/x-ndjson"
    [line] = [json.loads(each) for each in told.get_data().splitlines()]
    assert line["id"] == "crm-1"
    assert line["remedies"][0]["message"]["channel"] == "email"
    assert caller.get("/v1/screenings/scr_none/win-back").status_code == 404
