"""Policy files as they were written: kept with what they say, per tenant; else written anew, and said so."""

import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.policy import texts
from governance.policy.documents import Node, compose
from governance.policy.drafting import documents_in_force
from governance.policy.service import SHIPPED
from governance.policy.text_store import policy_text
from tests.conftest import ACTOR

RULES = "pack: mine  # ours\nrules: []\n"
CASES = "pack: mine\n# none yet\ncases: []\n"


def tree(path: str, text: str) -> Node:
    found = compose(path, text)
    assert isinstance(found, Node)
    return found


def test_a_shipped_pack_is_given_as_it_lies_in_its_folder_to_its_tenant_only(
    any_runtime: Runtime,
) -> None:
    with any_runtime.snapshot("acme", ACTOR) as snap:
        _, documents = documents_in_force(snap)
        found, as_written = texts.of_pack(snap, "de", documents)
    folder = SHIPPED / "communications"
    texts_of_de = {
        "policy": (folder / "de.yaml").read_text(),
        "cases": (folder / "de.cases.yaml").read_text(),
    }
    assert (found, as_written) == (texts_of_de, True)
    # Another tenant says the same with a comment of its own.
    any_runtime.create_tenant("rival", name="Rival", country="DE", address=None)
    path = "communications/de.yaml"
    with any_runtime.work("rival", ACTOR) as work:
        event = work.record("policy.proposed", facts={})
        texts.keep(work, {path: tree(path, texts_of_de["policy"] + "# our secret\n")}, event.id)
        assert texts.of_pack(work, "de", documents)[0]["policy"].endswith("# our secret\n")
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert texts.of_pack(snap, "de", documents) == (texts_of_de, True)


def test_what_is_not_kept_is_written_anew_and_reads_back_the_same(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        with work.bookkeeping():
            work.connection.execute(sa.delete(policy_text).where(policy_text.c.tenant_id == "acme"))
        _, documents = documents_in_force(work)
        for pack in ("de", "gb", "matrix", "relationship", "transfers-eu"):
            found, as_written = texts.of_pack(work, pack, documents)
            assert not as_written
            assert found["policy"].startswith("# Written anew")
            path = next(path for path in documents if path.endswith(f"/{pack}.yaml"))
            assert tree(path, found["policy"]).plain() == documents[path].plain()


def test_one_document_is_given_whole_while_all_of_it_is_in_force(runtime: Runtime) -> None:
    both = "pack: mine  # ours\nrules: []\ncases: []\n"
    one = {
        "access/mine.yaml": Node(tree("x", RULES).value, 1, text=both),
        "access/mine.cases.yaml": Node(tree("x", CASES).value, 1, text=both),
    }
    with runtime.work("acme", ACTOR) as work:
        event = work.record("policy.proposed", facts={})
        texts.keep(work, one, event.id)
        assert texts.of_pack(work, "mine", one) == ({"draft": both}, True)
        # The cases come from elsewhere by now: what is given must not hold the old ones as well.
        texts.keep(work, {"access/mine.cases.yaml": tree("x", CASES)}, event.id)
        found, as_written = texts.of_pack(work, "mine", one)
        assert (found["cases"], as_written) == (CASES, False)
        assert "cases" not in found["policy"].split("\n", 1)[1]
        texts.keep(work, {"access/mine.yaml": tree("x", RULES)}, event.id)
        assert texts.of_pack(work, "mine", one) == ({"policy": RULES, "cases": CASES}, True)
