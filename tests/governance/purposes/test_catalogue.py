import pytest

from governance.errors import InvalidError
from governance.purposes import catalogue
from governance.purposes.checks import check_capture_point, check_purpose
from governance.purposes.model import MessageClass, read_purpose
from governance.purposes.service import message_classes


def test_own_files_replace_the_shipped_ones(policies_dir):
    assert list(catalogue.purposes(policies_dir)) == ["marketing", "analytics"]
    assert list(catalogue.capture_points(policies_dir)) == ["web-form"]
    assert message_classes(policies_dir)["security"] == MessageClass("security", False, "Security notices")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- id: a\n- title: no id\n", r"catalogue/purposes\.yaml:2: each entry needs an `id`"),
        ("- id: a\n- id: a\n", r"catalogue/purposes\.yaml:2: the id a is there twice"),
        ("just words\n", r"catalogue/purposes\.yaml:1: a catalogue file is a list"),
        ("- id: a\n  title: x\n  title: y\n", r"catalogue/purposes\.yaml:3"),
        ("- [id: a\n", r"catalogue/purposes\.yaml:"),
    ],
)
def test_a_spoilt_file_is_refused_with_its_line(policies_dir, text, sentence):
    (policies_dir / "catalogue" / "purposes.yaml").write_text(text)
    with pytest.raises(InvalidError, match=sentence):
        catalogue.purposes(policies_dir)


def test_a_message_class_says_whether_it_is_commercial(policies_dir):
    (policies_dir / "catalogue" / "message-classes.yaml").write_text("- id: promotional\n")
    with pytest.raises(InvalidError, match="commercial"):
        message_classes(policies_dir)


def test_the_shipped_catalogue_is_complete_and_agrees_with_itself():
    words = catalogue.vocabulary(None)
    purposes = catalogue.purposes(None)
    assert {"marketing", "service"} <= set(purposes)
    for purpose_id, body in purposes.items():
        check_purpose(purpose_id, body, words)
        assert read_purpose(purpose_id, 1, body).state == "active", purpose_id
    for point_id, body in catalogue.capture_points(None).items():
        check_capture_point(point_id, body, set(purposes))
    classes = message_classes()
    assert classes["promotional"].commercial
    assert not classes["security"].commercial
    assert words.lawful_bases >= {"consent", "contract", "legitimate_interests"}
