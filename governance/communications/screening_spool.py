"""Where the answers of a running screening wait: a nameless file.

So memory stays flat and no lock is held while people are answered: the chunks enter the database in one
transaction at the end, and a screening that dies leaves nothing behind.
"""

from collections.abc import Iterator, Sequence
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO

from governance.communications import screening_answers as store
from governance.communications.screening import CHUNK_PEOPLE, Chunk, Outcome
from governance.ledger import merkle


class Spool:
    """Takes people with their answers, packs them by the chunk, and gives the chunks back."""

    def __init__(self) -> None:
        self._file: IO[bytes] = TemporaryFile(prefix="screening-")  # noqa: SIM115 - closed in __exit__
        self._sizes: list[tuple[bool, int, int, int]] = []
        self._leaves: list[bytes] = []

    def __enter__(self) -> "Spool":
        """Use the open file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Throw the file away."""
        self._file.close()

    def add(
        self,
        members: Sequence[str],
        outcomes: Sequence[int],
        points: Sequence[tuple[str, ...]],
        *,
        known: bool = True,
    ) -> None:
        """Keep people with the number of each one's outcome and the contact points permitted for each.

        People arrive in the order of their references; at most 10,000 a call make one chunk.
        """
        if not 0 < len(members) == len(outcomes) == len(points) <= CHUNK_PEOPLE:
            raise ValueError(f"a chunk has 1 to {CHUNK_PEOPLE} people, each with one outcome")
        number = len(self._sizes)
        columns = store.packed(Chunk(number, known, members, outcomes, points))
        self._sizes.append((known, *(len(column) for column in columns)))  # type: ignore[arg-type]
        self._leaves.append(merkle.leaf_hash(store.chunk_text(number, known, columns)))
        self._file.write(b"".join(columns))

    def root(self, outcomes: Sequence[Outcome]) -> str:
        """The RFC 9162 root (hex) over the outcomes and every chunk in order."""
        first = merkle.leaf_hash(store.outcomes_text(outcomes))
        return merkle.tree_root([first, *self._leaves]).hex()

    def chunks(self) -> Iterator[tuple[int, bool, tuple[bytes, bytes, bytes]]]:
        """Every chunk's number, whether its people are known, and its packed columns."""
        self._file.seek(0)
        for number, (known, members, outcomes, points) in enumerate(self._sizes):
            yield (
                number,
                known,
                (self._file.read(members), self._file.read(outcomes), self._file.read(points)),
            )


def root_of(outcomes: Sequence[Outcome], chunk_leaves: Iterator[bytes]) -> str:
    """The same root from what the database keeps; see `screening_answers.chunk_leaves`."""
    return merkle.tree_root([merkle.leaf_hash(store.outcomes_text(outcomes)), *chunk_leaves]).hex()
