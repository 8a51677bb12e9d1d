import random

import pytest

from governance.communications.screening_chunks import (
    pack_numbers,
    pack_points,
    pack_refs,
    unpack_numbers,
    unpack_points,
    unpack_refs,
)

CHANCE = random.Random(11)


def ref(prefix: str = "sub") -> str:
    return f"{prefix}_{CHANCE.getrandbits(128):032x}"


def test_ten_thousand_references_come_back_and_take_sixteen_bytes_each() -> None:
    refs = [ref() for _ in range(10_000)]
    packed = pack_refs(refs)
    assert unpack_refs(packed) == refs
    assert len(packed) < 160_100


@pytest.mark.parametrize(
    "refs",
    [
        [],
        ["crm-1"],
        ["crm-1", "A.b_c:9"],
        [ref(), "crm-1"],
        [ref(), ref("pnt")],
        ["sub_" + "g" * 32, "sub_" + "0" * 32],
        ["sub_" + "A" * 32],
        ["sub_" + "0" * 31 + "x", "sub_" + "0" * 33],
        ["sub_" + "0" * 31, "sub_" + "0" * 33],
        ["0" * 40, "1" * 40],
    ],
)
def test_references_of_any_form_come_back_as_they_were(refs: list[str]) -> None:
    assert unpack_refs(pack_refs(refs)) == refs


@pytest.mark.parametrize("numbers", [[], [0], [1, 65_535], [1, 65_536, 2**32 - 1]])
def test_numbers_come_back(numbers: list[int]) -> None:
    assert unpack_numbers(pack_numbers(numbers)) == numbers


@pytest.mark.parametrize("count", [0, 1, 300])
def test_contact_points_come_back_to_their_owners(count: int) -> None:
    points = [tuple(ref("pnt") for _ in range(number)) for number in (0, count, 2, 0, 1)]
    assert unpack_points(pack_points(points)) == points


def test_nobody_has_no_points() -> None:
    assert unpack_points(pack_points([])) == []
