"""Policy files: nothing ambiguous gets in, and what gets in can be stored and read back."""

import pytest

from governance.policy.documents import Node, canonical, compose, from_canonical
from governance.policy.model import Problem


def plain(text: str) -> object:
    tree = compose("a.yaml", text)
    assert isinstance(tree, Node), tree
    return tree.plain()


def test_norway_is_a_country_and_half_past_nine_a_time() -> None:
    assert plain("{country: NO, at: 21:30, yes: on, n: 7, t: true, none: null}") == {
        "country": "NO",
        "at": "21:30",
        "yes": "on",
        "n": 7,
        "t": True,
        "none": None,
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, "'a' stands here twice"),
        ("a: &x 1\nb: *x", 1, "anchors and aliases"),
        ("a: 1\nb: *x", 2, "anchors and aliases"),
        ("a: 1\nb: !!python/object:os.system {}", 2, "tags are not allowed"),
        ("a: 1\n---\nb: 2", 2, "one document"),
        ("", 1, "empty"),
        ("? [a, b]\n: 1", 1, "plain text"),
        ("a:\n  <<: {b: 1}", 2, "merge keys"),
        ("a: [1, 2\n", 2, "not YAML"),
        ("a: \x00", 1, "not allowed in YAML"),
        ('a: "\\0"', 1, "cannot be stored"),
        ("a: 1\nb: \ufffd", 2, "not UTF-8"),
        ("[" * 10_000 + "]" * 10_000, 1, "nested deeper"),
    ],
)
def test_a_doubtful_document_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    problem = compose("a.yaml", text)
    assert isinstance(problem, Problem)
    assert problem.line == line
    assert words in problem.sentence


def test_a_file_that_is_too_long_is_refused() -> None:
    assert isinstance(compose("a.yaml", "a" * 2_000_001), Problem)


def test_keys_know_their_lines() -> None:
    tree = compose("a.yaml", "a:\n  b: 1\n  c: 2\n")
    assert isinstance(tree, Node)
    assert isinstance(tree.value, dict)
    assert tree.value["a"].keys == {"b": 2, "c": 3}


def test_the_canonical_form_reads_back_in_order_and_ignores_comments() -> None:
    one = compose("a.yaml", "z: 1 # note\nb: [x, true]\n")
    other = compose("a.yaml", "z: 1\nb:\n  - x\n  - true")
    assert isinstance(one, Node)
    assert isinstance(other, Node)
    text = canonical({"a.yaml": one})
    assert text == canonical({"a.yaml": other})
    back = from_canonical(text)["a.yaml"]
    assert back.plain() == one.plain()
    assert isinstance(back.value, dict)
    assert list(back.value) == ["z", "b"]
