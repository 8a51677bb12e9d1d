"""The stored tree: hashes of any aligned part, read from kept nodes and at most a few runs of 256 hashes."""

from sqlalchemy.engine import Connection

from governance.ledger import merkle, store

_RUN = 256


class StoredTree:
    """Gives `subtree(start, end)` of one tenant's tree for proofs; remembers what it has read.

    A proof reads one run of leaf hashes for each ragged edge, one run of nodes of level 8 and those of level
    16, however many entries there are. Use one instance inside one snapshot.
    """

    def __init__(self, connection: Connection, tenant_id: str) -> None:
        self._connection = connection
        self._tenant_id = tenant_id
        self._runs: dict[tuple[int, int], list[bytes]] = {}

    def subtree(self, start: int, end: int) -> bytes:
        """Return the hash of the leaves [start, end).

        `start` must be a multiple of the width rounded up to a power of two, as it is in every proof.
        """
        width = end - start
        level = max((each for each in store.NODE_LEVELS if 1 << each <= width), default=0)
        whole = width >> level
        parts = self._hashes(level, start >> level, whole)
        if width > whole << level:
            parts.append(self.subtree(start + (whole << level), end))
        return merkle.tree_root(parts)

    def _hashes(self, level: int, first: int, count: int) -> list[bytes]:
        """Return `count` hashes of one level from index `first`, taken from whole runs."""
        found: list[bytes] = []
        for run in range(first // _RUN, (first + count - 1) // _RUN + 1):
            have = self._run(level, run)
            found += have[max(first - run * _RUN, 0) : first + count - run * _RUN]
        if len(found) != count:
            raise LookupError("The stored tree has a gap; run `governance fsck`.")
        return found

    def _run(self, level: int, run: int) -> list[bytes]:
        """Return the hashes with index [256 * run, 256 * run + 256) that are stored, reading them once."""
        key = level, run
        if key not in self._runs:
            self._runs[key] = store.hashes(
                self._connection, self._tenant_id, level=level, first=run * _RUN, count=_RUN
            )
        return self._runs[key]
