"""Policy files as they were written: what decides is their data, what people read is their text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import yaml

from governance.policy import text_store
from governance.policy.documents import Node, canonical, compose
from governance.policy.drafts import CASES, ONE_DOCUMENT, RULES, files_of
from governance.work import Snapshot, Work

_NOT_KEPT = "# Written anew from what is in force; the text as somebody wrote it is not kept.\n"


def keep(work: Work, documents: Mapping[str, Node], event_id: str) -> None:
    """Keep the texts of files that were just read, with the event that records their adoption or proposal."""
    texts = {
        _digest(path, tree): tree.text
        for path, tree in documents.items()
        # What lies at the top is the vocabulary and no pack.
        if tree.text is not None and "/" in path
    }
    text_store.keep(work.connection, work.tenant_id, texts, event_id)


def of_pack(snap: Snapshot, pack: str, documents: Mapping[str, Node]) -> tuple[dict[str, str], bool]:
    """The texts of a pack in the form in which a draft is sent, and whether all are as they were written.

    `{"draft": …}` where rules and cases came as one document, else `{"policy": …, "cases": …}`.
    """
    files = files_of(pack, documents)
    digests = {path: _digest(path, tree) for path, tree in files.items()}
    kept = text_store.find(snap.connection, snap.tenant_id, digests.values())
    written = [kept.get(digest) for digest in digests.values()]
    whole = next(iter(written), None)
    if whole is not None and len(written) == 2 and written[1] == whole:
        return {ONE_DOCUMENT: whole}, True
    texts: dict[str, str] = {}
    as_written = True
    for name, text, (path, tree) in zip((RULES, CASES), written, files.items(), strict=False):
        if text is None or not _says_only(path, text, tree):
            text, as_written = _NOT_KEPT + _rendered(tree), False
        texts[name] = text
    return texts, as_written


def _digest(path: str, tree: Node) -> str:
    return hashlib.sha256(canonical({path: tree})).hexdigest()


def _says_only(path: str, text: str, tree: Node) -> bool:
    """Whether a text is this file and nothing more: one document may have held its cases as well."""
    found = compose(path, text)
    return isinstance(found, Node) and found.plain() == tree.plain()


def _rendered(tree: Node) -> str:
    return str(yaml.safe_dump(tree.plain(), sort_keys=False, allow_unicode=True, width=110))
