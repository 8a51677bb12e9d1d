"""Everything that is given as CSV, wherever it is: what a spreadsheet would reckon with is text."""

import csv
import io
from typing import Any

from flask import Flask

from tests.api.conftest import Caller
from tests.api.test_screenings import screen

FORMULAS = ("=1+1", "+49 30/1", "-2+3", "@SUM(A1)", '=HYPERLINK("https://example.org","x")')
RESULTS = "/v1/screenings/{screening_id}/results"
_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def tables_of(caller: Caller) -> list[str]:
    """Every path whose `format` may be csv, as the description of the API names them."""
    paths: dict[str, Any] = caller.get("/openapi.json").get_json()["paths"]
    return sorted(
        path
        for path, item in paths.items()
        for parameter in item.get("get", {}).get("parameters", ())
        if parameter.get("name") == "format" and "csv" in parameter["schema"].get("enum", ())
    )


def test_no_table_holds_a_cell_that_a_spreadsheet_would_reckon_with(caller: Caller, app: Flask) -> None:
    """Purposes, their owners, systems' processors and reasons are called like formulas, as people may."""
    tag = caller.get("/v1/purposes/marketing").headers["ETag"]
    purpose = {
        "title": FORMULAS[0],
        "owner": FORMULAS[3],
        "controller": FORMULAS[2],
        "lawful_basis": "consent",
        "message_classes": ["promotional"],
        "data_classes": ["contact_details"],
    }
    put = caller.put("/v1/purposes/marketing", purpose, headers={"If-Match": tag})
    assert put.status_code == 200, put.data
    paper = {"kind": "manual", "config": {"owner": "staff-7"}, "data_classes": ["contact_details"]}
    for number, name in enumerate(FORMULAS):
        system = {**paper, "processor": name, "country": "US"}
        assert caller.put(f"/v1/systems/paper-{number}", system).status_code == 201
    person = {"identifiers": [{"type": "email", "value": "=1+1@example.org"}], "relationship": "lead"}
    assert caller.put("/v1/subjects/crm-1", person).status_code == 201
    refused = caller.put("/v1/subjects/=1+1", person)
    assert refused.status_code == 422, "an id is opaque and no formula"
    screening = screen(caller, app)["id"]
    paths = tables_of(caller)
    assert {"/v1/reports/ropa", "/v1/reports/transfers", "/v1/screenings/{screening_id}/results"} <= set(
        paths
    )
    assert len(paths) >= 10, paths
    seen: set[str] = set()
    for path in paths:
        answer = caller.get(path.replace("{screening_id}", str(screening)) + "?format=csv")
        assert answer.status_code == 200, (path, answer.data)
        assert answer.content_type == "text/csv; charset=utf-8", path
        for row in csv.reader(io.StringIO(answer.get_data(as_text=True), newline="")):
            bad = [each for each in row if each.startswith(_BEGINNINGS) and not is_number(each)]
            assert not bad, (path, bad)
            seen.update(row)
    for name in (FORMULAS[0], FORMULAS[2], FORMULAS[3]):
        assert f"'{name}" in seen, "not left out: written as text"


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
