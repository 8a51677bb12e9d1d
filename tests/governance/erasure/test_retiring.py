"""A system is taken out of service: no new orders, nothing lost that waits for it, and back again."""

import pytest

from governance.erasure import disposing, retiring
from governance.erasure.model import DONE, OWN, WAITING, Erasure, Step
from governance.errors import ConflictError
from governance.systems import service as systems
from governance.systems import tasks
from governance.systems.tasks import Task
from tests.fixtures import crm
from tests.governance.erasure.conftest import OFFICER, World
from tests.governance.erasure.test_disposing import all_of, approve


def retire(world: World, because: str | None = None) -> None:
    with world.runtime.work("acme", OFFICER) as work:
        retiring.retire(work, "crm", because)


def step(erasure: Erasure) -> Step:
    (found,) = (each for each in erasure.steps if each.system == "crm")
    return found


def open_tasks(world: World) -> list[Task]:
    with world.runtime.snapshot("acme", OFFICER) as snap:
        return tasks.page(snap, state="open", after="", limit=50)


def test_a_retired_system_gets_no_new_orders_until_it_is_put_again(world: World) -> None:
    retire(world)
    retire(world)
    with world.runtime.snapshot("acme", OFFICER) as snap:
        assert (systems.every(snap), len(systems.registered(snap))) == ([], 1)
        assert systems.get(snap, "crm").retired_at is not None
    assert [each.system for each in world.order("crm-1").steps] == [OWN]
    world.put_system()
    assert [each.system for each in world.order("crm-2").steps] == ["crm", OWN]


def test_what_waits_for_it_becomes_a_task_with_its_name_and_back_again(world: World) -> None:
    crm.run(world.url, "ALTER TABLE activity RENAME TO elsewhere;\n")
    case = world.run(world.order("crm-1"))
    assert step(case).status != DONE
    with pytest.raises(ConflictError, match="1 erasures") as refused:
        retire(world)
    assert refused.value.reason == "system-awaited"
    retire(world, "sold")
    case = world.run(case)
    assert (step(case).status, case.is_open) == (WAITING, True)
    (task,) = open_tasks(world)
    assert (task.system_id, task.verb, task.owner) == ("crm", "erase", OFFICER.ref)
    with world.runtime.snapshot("acme", OFFICER) as snap:
        opened = tasks.get(snap, task.task_id)
    assert "sold" in str(opened.instructions)
    crm.run(world.url, "ALTER TABLE elsewhere RENAME TO activity;\n")
    world.put_system()
    assert open_tasks(world) == []


def test_records_in_it_are_not_disposed_of(world: World) -> None:
    approve(world.runtime, "R-1")
    retire(world)
    before = world.dump()
    disposing.carry_out(world.runtime, "acme")
    assert world.dump() == before
    found = all_of(world.runtime)["R-1"]
    assert (found.state, found.because) == ("blocked", "retired-system")
