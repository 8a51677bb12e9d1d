"""Files of ids: whatever stands in a line, it is an id, a duplicate, or reported; nothing is lost."""

import codecs
import random

import pytest

from governance.communications.id_files import FAULTS, SENTENCES, read_id_file


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (b"crm-1\ncrm-2\n", ("crm-1", "crm-2")),
        (b"id\ncrm-1\n", ("crm-1",)),
        (b"\xef\xbb\xbfid\r\ncrm-1\r\n\r\ncrm-2", ("crm-1", "crm-2")),
        (b'"id","name"\r\n"crm-1","Anna, Dr. ""A"""\r\n', ("crm-1",)),
        (b"name;external_id\nAnna;crm-1\nBert;crm-2\n", ("crm-1", "crm-2")),
        (b"name\tID\nAnna\tcrm-1\n", ("crm-1",)),
        (b'crm-1,"two\nlines"\ncrm-2,x\n', ("crm-1", "crm-2")),
        (b"crm-1\rcrm-2\r", ("crm-1", "crm-2")),
        (b'{"id": "crm-1"}\n{"external_id": "crm-2"}\n\n"crm-3"\n', ("crm-1", "crm-2", "crm-3")),
        (codecs.BOM_UTF16_LE + "id\ncrm-1\n".encode("utf-16-le"), ("crm-1",)),
        (b'"crm-1"\n"crm-2"\n', ("crm-1", "crm-2")),
    ],
)
def test_ids_are_read_from_every_usual_form(content: bytes, ids: tuple[str, ...]) -> None:
    found = read_id_file(content)
    assert found.ids == ids
    assert found.rejected == ()


def test_every_bad_line_is_reported_by_its_number_and_the_others_are_kept() -> None:
    lines = [
        b"id,name",
        b"crm-1,a",
        b"anna@example.org,b",
        b",c",
        b"=cmd|x,d",
        b"",
        b"crm-1,e",
        b"cr\xffm,f",
        b"ok,g",
    ]
    found = read_id_file(b"\n".join(lines))
    assert found.ids == ("crm-1", "ok")
    assert found.duplicates == 1
    assert found.rejected == ((3, "address"), (4, "no-id"), (5, "not-an-id"), (8, "not-an-id"))
    assert all(fault in SENTENCES for fault in FAULTS)


def test_an_unclosed_quotation_mark_does_not_swallow_the_rest_of_the_file() -> None:
    found = read_id_file(b'crm-1,a\n"crm-2,b\ncrm-3,c\ncrm-4,d\n')
    assert found.ids == ("crm-1", "crm-3", "crm-4")
    assert found.rejected == ((2, "broken-row"),)


def test_a_bad_line_of_ndjson_is_reported_too() -> None:
    found = read_id_file(b'{"id": "a"}\n{"id": 7}\nnonsense\n{"name": "x"}\n[1]\n{"id": "b"}\n')
    assert found.ids == ("a", "b")
    assert found.rejected == ((2, "no-id"), (3, "not-json"), (4, "no-id"), (5, "no-id"))


def test_the_name_of_the_file_tells_the_format() -> None:
    assert read_id_file(b'"a"\n', name="x.NDJSON").ids == ("a",)
    assert read_id_file(b"{\nb\n", name="x.csv").rejected == ((1, "not-an-id"),)


def test_of_any_bytes_no_line_is_lost() -> None:
    chance = random.Random(8)
    pieces = [
        b"crm-1",
        b"crm-2",
        b"a@b",
        b'"',
        b'""',
        b",",
        b";",
        b"\n",
        b"\n",
        b"\r\n",
        b"x",
        b"\xff",
        b"{",
        b" ",
    ]
    for _ in range(3000):
        content = b"".join(chance.choice(pieces) for _ in range(chance.randrange(1, 30)))
        found = read_id_file(content)
        numbers = [number for number, _ in found.rejected]
        assert numbers == sorted(set(numbers))
        if b'"' not in content and b"{" not in content and b";" not in content:
            rows = [line for line in content.replace(b"\r\n", b"\n").split(b"\n") if line.strip(b" ,")]
            assert len(rows) == len(found.ids) + found.duplicates + len(found.rejected), content


def test_a_large_hostile_file_is_read_in_one_go() -> None:
    content = b'"a\n' * 50_000 + b"crm-1\n" * 50_000
    found = read_id_file(content)
    assert found.ids == ("crm-1",)
    assert len(found.rejected) == 50_000
