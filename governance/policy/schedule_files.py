"""The folder `retention` of a set of documents: its schedules and their cases, checked."""

from __future__ import annotations

from collections.abc import Mapping

from governance.policy.complaints import Complaints
from governance.policy.documents import Node
from governance.policy.model import Problem, Source, Vocabulary
from governance.policy.schedule_cases import WHOLE, ScheduleCaseReader, schedule_case_problems
from governance.policy.schedule_reader import FOLDER, ScheduleReader
from governance.policy.schedules import Schedule, ScheduleCase, Schedules

_CASES = ".cases.yaml"


def is_schedule(path: str) -> bool:
    """Say whether a document belongs to the retention schedules."""
    return path.startswith(f"{FOLDER}/")


def read_schedules(
    trees: Mapping[str, Node],
    vocabulary: Vocabulary,
    sources: Mapping[str, Source],
    *,
    scrutinised: bool,
    proven: bool,
) -> tuple[Schedules, list[Problem]]:
    """Read all schedules, with every complaint; `scrutinised` and `proven` as in the loader."""
    problems: list[Problem] = []
    found: dict[str, Schedule] = {}
    cases: list[ScheduleCase] = []
    paths = [path for path in sorted(trees) if is_schedule(path)]
    for path in (path for path in paths if not path.endswith(_CASES)):
        reader = ScheduleReader(vocabulary, sources, Complaints(path))
        schedule = reader.read(trees[path])
        if schedule.name in found or schedule.name == WHOLE:
            reader.desk.add(trees[path].line, f"the name '{schedule.name}' is taken; choose another one")
        found[schedule.name] = schedule
        problems += reader.desk.found
    for path in (path for path in paths if path.endswith(_CASES)):
        desk = Complaints(path)
        cases += ScheduleCaseReader(ScheduleReader(vocabulary, sources, desk)).read(trees[path], found)
        problems += desk.found
    schedules = tuple(found.values())
    if not problems and not scrutinised and proven:
        problems += schedule_case_problems(schedules, cases)
    return Schedules(schedules, tuple(cases)), problems
