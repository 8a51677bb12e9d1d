from governance.purposes import store

BODY = {"title": "Offers"}


def write(work, version):
    return store.write(
        work.connection,
        "acme",
        store.capture_point,
        store.Record("web-form", version, BODY),
        at=work.now,
        event_id="evt_1",
    )


def test_of_two_writers_of_one_version_one_wins(work):
    assert write(work, 1)
    assert not write(work, 1)
    assert write(work, 2)
    assert not write(work, 2)
    assert not write(work, 9)
    found = store.find(work.connection, "acme", store.capture_point, "web-form")
    assert found == store.Record("web-form", 2, BODY)
