import base64
import os

import pytest

from governance.errors import NotReadyError
from governance.vault.rootkey import make_root_key, read_root_key


def test_a_made_key_is_32_bytes_of_base64_text_for_its_owner_only(tmp_path):
    path = tmp_path / "secret" / "root.key"
    make_root_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert base64.b64decode(path.read_text()) == read_root_key(path)
    assert len(read_root_key(path)) == 32
    assert os.listdir(path.parent) == ["root.key"]


def test_a_second_making_leaves_the_key_as_it_is(tmp_path):
    path = tmp_path / "root.key"
    make_root_key(path)
    before = path.read_bytes()
    make_root_key(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["root.key"]


def test_a_missing_key_is_said_with_its_path(tmp_path):
    with pytest.raises(NotReadyError, match=r"root\.key is missing"):
        read_root_key(tmp_path / "root.key")


def test_a_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "root.key"
    make_root_key(path)
    path.chmod(0o640)
    with pytest.raises(NotReadyError, match="chmod 600"):
        read_root_key(path)


@pytest.mark.parametrize("text", [b"", b"AAAA", b"not base64!", b"\xff\xfe", base64.b64encode(bytes(33))])
def test_a_file_without_a_key_is_refused(tmp_path, text):
    path = tmp_path / "root.key"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(NotReadyError, match="32 bytes as base64"):
        read_root_key(path)


def test_a_folder_is_no_key(tmp_path):
    with pytest.raises(NotReadyError, match="not a file"):
        read_root_key(tmp_path)
