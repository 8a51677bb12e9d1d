"""How the people of a screening are packed: 16 bytes a person, 2 or 4 for the answer, 16 for a contact point.

A reference is a prefix, an underscore and 32 hexadecimal digits (`governance.ids`); a column whose references
are all of that form is kept as bytes, any other as text. Every packed column begins with a byte that says
which.
"""

import sys
from array import array
from collections.abc import Sequence

_BYTES = b"b"
_TEXT = b"t"
_SMALL = b"h"
_LARGE = b"i"
_DIGITS = 32


def pack_refs(refs: Sequence[str]) -> bytes:
    """Pack references; all of one prefix and 32 hexadecimal digits take 16 bytes each."""
    if not refs:
        return _TEXT
    prefix = refs[0][:-_DIGITS]
    if prefix.endswith("_"):
        try:
            packed = bytes.fromhex("".join(refs).replace(prefix, ""))
        except ValueError:
            packed = b""
        # Whatever does not come back as it was is kept as text.
        if _unpacked(prefix, packed) == list(refs):
            return _BYTES + prefix.encode() + b"\n" + packed
    return _TEXT + "\n".join(refs).encode()


def unpack_refs(blob: bytes) -> list[str]:
    """Read what `pack_refs` wrote."""
    if blob[:1] == _BYTES:
        end = blob.index(b"\n")
        return _unpacked(blob[1:end].decode(), blob[end + 1 :])
    text = blob[1:].decode()
    return text.split("\n") if text else []


def _unpacked(prefix: str, packed: bytes) -> list[str]:
    digits = packed.hex()
    return [prefix + digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS)]


def pack_numbers(numbers: Sequence[int]) -> bytes:
    """Pack numbers of 0 to 2**32-1, little end first; two bytes each where that is enough."""
    small = not numbers or max(numbers) < 0x10000
    packed = array("H" if small else "I", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return (_SMALL if small else _LARGE) + packed.tobytes()


def unpack_numbers(blob: bytes) -> list[int]:
    """Read what `pack_numbers` wrote."""
    packed = array("H" if blob[:1] == _SMALL else "I")
    packed.frombytes(blob[1:])
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tolist()


def pack_points(points: Sequence[tuple[str, ...]]) -> bytes:
    """Pack each person's contact points: how many each has, then all references."""
    counts = pack_numbers([len(each) for each in points])
    return len(counts).to_bytes(4, "big") + counts + pack_refs([ref for each in points for ref in each])


def unpack_points(blob: bytes) -> list[tuple[str, ...]]:
    """Read what `pack_points` wrote."""
    length = int.from_bytes(blob[:4], "big")
    refs = unpack_refs(blob[4 + length :])
    points, at = [], 0
    for number in unpack_numbers(blob[4 : 4 + length]):
        points.append(tuple(refs[at : at + number]))
        at += number
    return points
