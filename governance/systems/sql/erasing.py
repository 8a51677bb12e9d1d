"""Erases a person's rows in one transaction at the far side, and reads again what is left.

Rows are locked, then what refers to them is looked at, then the plan is remembered on our side, then rows are
emptied and deleted, children before parents, then everything is read again, and only then committed. After
the commit a new transaction reads once more. Whatever differs from the plan rolls everything back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.systems.connector import Context, Problem
from governance.systems.model import DONE, Disposal, ErasurePlan, Outcome, StepOutcome, SubjectKeys
from governance.systems.sql import dates, disposing, fates, links, passes
from governance.systems.sql.disposing import RecordFinder
from governance.systems.sql.fates import Fate, Fates
from governance.systems.sql.mapping import SqlMapping, TableMap
from governance.systems.sql.matching import is_text
from governance.systems.sql.rows import Finder, RowKey, Rows, chunks
from governance.systems.sql.schema import Reference, Schema, is_row, referring


@dataclass(slots=True)
class Unlink:
    """A column of other people's rows that is set to NULL because the row it refers to goes."""

    reference: Reference
    values: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(slots=True)
class Erasing:
    """One erasure in one open transaction."""

    connection: Connection
    schema: Schema
    mapping: SqlMapping
    context: Context
    keys: SubjectKeys
    plan: ErasurePlan
    warnings: list[str] = field(default_factory=list)
    disposal: Disposal | None = None
    records: Mapping[str, tuple[str, ...]] | None = None

    @classmethod
    def of_records(
        cls, connection: Connection, schema: Schema, mapping: SqlMapping, context: Context, disposal: Disposal
    ) -> "Erasing":
        """The end of records: an erasure that finds them by their ids."""
        records = disposing.by_table(mapping, disposal)
        plan = disposing.plan_for(mapping, disposal, records)
        nobody = SubjectKeys("")
        return cls(connection, schema, mapping, context, nobody, plan, disposal=disposal, records=records)

    def run(self) -> Outcome:
        """Do all of it up to the commit; the outcome says what will be true then. Problem: roll back."""
        finder = self._finder(lock=True, also_pseudonym=True)
        found = finder.find()
        finder.look_for_mentions(found)
        decided = self._decide(found)
        unlinks = self._settle_references(decided, found)
        links.mark(self.mapping.finding_order(), self.schema.maps, found, decided)
        updates = self._updates(decided)
        doomed = {
            name: [each.key for each in of_table.values() if each.deleted]
            for name, of_table in decided.items()
        }
        steps = (*fates.steps(decided, self.plan, self._classes()), *self._there_again(found, decided))
        warnings = tuple(dict.fromkeys(self.warnings))
        if not any(doomed.values()) and not any(updates.values()):
            return self._done(decided, steps, warnings, changed=False)
        self.context.remember(steps)
        for name, changes in updates.items():
            for key, values in changes.items():
                self._update(name, key, values)
        self._unlink(unlinks)
        for name in self.schema.deleting_order():
            self._delete(name, doomed.get(name, []))
        self.check(decided)
        return self._done(decided, steps, warnings)

    def _done(
        self,
        decided: Fates,
        steps: tuple[StepOutcome, ...],
        warnings: tuple[str, ...],
        *,
        changed: bool = True,
    ) -> Outcome:
        records: dict[str, str] = {}
        if self.disposal is not None and self.records is not None:
            records = disposing.outcomes(self.schema, self.disposal, self.records, decided)
        else:
            records = dates.records(self.schema.maps, self.plan, decided)
        return Outcome(DONE, steps=steps, warnings=warnings, records=records, changed=changed)

    def check(self, decided: Fates | None = None) -> tuple[StepOutcome, ...]:
        """Read again: nothing is found any more that was to go. Problem if something is.

        Gives, as failed, the classes that earlier passes ended and that are there again.
        """
        found = self._finder(lock=False, also_pseudonym=False).find()
        again = self._decide(found)
        self._settle_references(again, found)
        everything = [fate for of_table in again.values() for fate in of_table.values()]
        for fate in everything:
            if not fate.left and self._would_change(fate):
                raise Problem(
                    f"After the erasure the table {fate.table} still (or again) holds this person's data; "
                    "something writes them back or keeps them (a trigger, a rule, another program)."
                )
        if everything and all(fate.left for fate in everything):
            raise Problem(
                f"Rows of table {everything[0].table} are shared and the link to this person is still there; "
                "map the table that links them."
            )
        for name, of_table in (decided or {}).items():
            gone = [each.key for each in of_table.values() if each.deleted]
            if self._present(name, gone):
                raise Problem(f"Rows of table {name} are still there although they were deleted.")
        return self._there_again(found, again)

    def _there_again(self, found: Mapping[str, Rows], decided: Fates) -> tuple[StepOutcome, ...]:
        gone = {
            (name, key) for name, of_table in decided.items() for key, it in of_table.items() if it.deleted
        }
        return passes.there_again(self.schema.maps, found, gone, self.plan, self.context.pseudonym)

    def _decide(self, found: Mapping[str, Rows]) -> Fates:
        today = self.context.now.date()
        order, maps = self.mapping.finding_order(), self.schema.maps
        return fates.decide(order, maps, found, self.plan, today, self.context.pseudonym)

    def _would_change(self, fate: Fate) -> bool:
        return fate.deleted or bool(self._new_values(fate, 0, 1))

    def _finder(self, *, lock: bool, also_pseudonym: bool) -> Finder:
        if self.records is not None:
            return RecordFinder(
                self.connection, self.schema, self.mapping, self.keys, lock=lock, wanted=self.records
            )
        pseudonym = self.context.pseudonym if also_pseudonym else ""
        return Finder(
            self.connection, self.schema, self.mapping, self.keys, pseudonym, lock, warnings=self.warnings
        )

    def _classes(self) -> frozenset[str]:
        return frozenset(each for table in self.schema.maps.values() for each in table.classes)

    def _settle_references(self, decided: Fates, found: Mapping[str, Rows]) -> list[Unlink]:
        """See that nothing refers to a row that goes; make shells of rows that kept ones refer to.

        Rows of this person that the plan does not speak of (`found`, not decided) are kept as they are.
        """
        while True:
            unlinks: list[Unlink] = []
            changed = False
            for reference in self.schema.references:
                doomed = {k: f for k, f in decided.get(reference.parent, {}).items() if f.deleted}
                if doomed:
                    changed |= self._settle(reference, doomed, decided, found, unlinks)
            if not changed:
                break
        if self.records is None:
            fates.mark_bare(self.mapping.finding_order(), self.schema.maps, found, decided, self.keys)
        return unlinks

    def _settle(
        self,
        reference: Reference,
        doomed: Mapping[RowKey, Fate],
        decided: Fates,
        found: Mapping[str, Rows],
        unlinks: list[Unlink],
    ) -> bool:
        """One foreign key into rows that go; whether a row became a shell by it."""
        unlink = Unlink(reference)
        child = self.schema.tables.get(reference.table)
        source = self.schema.others[reference.table] if child is None else child
        by_value = {
            tuple(fate.row[each] for each in reference.parent_columns): fate for fate in doomed.values()
        }
        changed = False
        for row in referring(self.connection, source, reference, list(by_value)):
            value = tuple(row[each] for each in reference.columns)
            mine = self._fate_of(reference.table, row, decided) if child is not None else None
            if mine is not None and mine.deleted:
                continue
            unplanned = child is not None and mine is None and self._is_found(reference.table, row, found)
            if unplanned or (mine is not None and not mine.left):
                fates.make_shell(by_value[value])
                changed = True
            elif f"{reference.table}.{reference.columns[0]}" in self.schema.maps[reference.parent].unlink:
                unlink.values.append(value)
            else:
                raise Problem(
                    f"Rows of table {reference.table} that are not counted as this person's refer to rows of "
                    f"{reference.parent} that are to go. Map {reference.table}, or name "
                    f"{reference.table}.{reference.columns[0]} under `unlink` of {reference.parent}."
                )
        if unlink.values:
            unlinks.append(unlink)
        return changed

    def _fate_of(self, name: str, row: Mapping[str, Any], decided: Fates) -> Fate | None:
        key = tuple(row[each] for each in self.schema.key(name))
        return decided.get(name, {}).get(key)

    def _is_found(self, name: str, row: Mapping[str, Any], found: Mapping[str, Rows]) -> bool:
        key = tuple(row[each] for each in self.schema.key(name))
        return name in found and key in found[name].found

    def _updates(self, decided: Fates) -> dict[str, dict[RowKey, dict[str, Any]]]:
        """What is written into rows that stay, without what is so already."""
        updates: dict[str, dict[RowKey, dict[str, Any]]] = {}
        for name, of_table in decided.items():
            staying = [each for each in of_table.values() if not each.deleted and not each.left]
            for index, fate in enumerate(staying):
                values = self._new_values(fate, index, len(staying))
                if values:
                    updates.setdefault(name, {})[fate.key] = values
        return updates

    def _new_values(self, fate: Fate, index: int, count: int) -> dict[str, Any]:
        table = self.schema.maps[fate.table]
        source = self.schema.tables[fate.table]
        pseudonym = self.context.pseudonym
        each_own = pseudonym if count == 1 else f"{pseudonym}-{index + 1}"
        values = fates.new_values(
            table, fate, dict(source.c.items()), each_own, self._unlisted(table, source)
        )
        return {
            column: value
            for column, value in values.items()
            if fate.row[column] != value and not fates.is_pseudonym(fate.row[column], value, pseudonym)
        }

    def _unlisted(self, table: TableMap, source: sa.Table) -> tuple[str, ...]:
        known = table.named_columns()
        known |= {each.column or "" for each in table.belongs_to} | set(self.schema.key(table.name))
        known |= {
            column for each in self.schema.references if each.table == table.name for column in each.columns
        }
        if table.restriction is not None:
            known |= {table.restriction.column}
        return tuple(each.name for each in source.columns if is_text(each) and each.name not in known)

    def _update(self, name: str, key: RowKey, values: Mapping[str, Any]) -> None:
        source = self.schema.tables[name]
        done = self.connection.execute(
            sa.update(source).where(is_row(source, self.schema.key(name), [key])).values(**values)
        )
        if done.rowcount != 1:
            raise Problem(
                f"A row of table {name} could not be changed: something at the database forbids it."
            )

    def _unlink(self, unlinks: Sequence[Unlink]) -> None:
        for each in unlinks:
            reference = each.reference
            source = self.schema.tables.get(reference.table, self.schema.others.get(reference.table))
            assert source is not None
            nothing = dict.fromkeys(reference.columns)
            for chunk in chunks(each.values):
                condition = is_row(source, reference.columns, chunk)
                self.connection.execute(sa.update(source).where(condition).values(**nothing))

    def _delete(self, name: str, doomed: Sequence[RowKey]) -> None:
        source = self.schema.tables[name]
        gone = 0
        for chunk in chunks(doomed):
            gone += self.connection.execute(
                sa.delete(source).where(is_row(source, self.schema.key(name), chunk))
            ).rowcount
        if gone != len(doomed):
            raise Problem(
                f"Of {len(doomed)} rows of table {name} only {gone} could be deleted: something at the "
                "database forbids it. Nothing was changed."
            )

    def _present(self, name: str, keys: Sequence[RowKey]) -> bool:
        source = self.schema.tables[name]
        return any(
            self.connection.execute(
                sa.select(sa.literal(1))
                .select_from(source)
                .where(is_row(source, self.schema.key(name), chunk))
            ).first()
            for chunk in chunks(keys)
        )
