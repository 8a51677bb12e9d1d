"""Reading the rules of a pack: members, effects, codes, dates, sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from governance.policy.complaints import Complaints
from governance.policy.documents import Node
from governance.policy.grammar import Grammar
from governance.policy.model import CheckedRule, Effect, Effective, Source, Vocabulary

_MEMBERS = (
    "id",
    "effect",
    "when",
    "unless",
    "code",
    "codes",
    "because",
    "remedy",
    "cites",
    "source",
    "verified",
    "obligations",
    "effective",
    "overridable",
    "review_by",
)


@dataclass(frozen=True, slots=True)
class RuleReader:
    """Reads the rules of one pack; `may_permit` is true for base and access packs only."""

    pack: str
    vocabulary: Vocabulary
    sources: Mapping[str, Source]
    grammar: Grammar
    desk: Complaints
    may_permit: bool
    is_access: bool = False

    def read(self, node: Node) -> CheckedRule | None:
        """Read one rule; None after a complaint that leaves nothing to keep."""
        before = len(self.desk.found)
        members = self.desk.members(node, "a rule", _MEMBERS, ("id", "effect", "when", "because"))
        name = self.desk.name(members.get("id"), "id")
        effect = self._effect(members.get("effect"))
        when = self.grammar.condition(members["when"], f"'when' of '{name}'") if "when" in members else None
        unless = (
            self.grammar.condition(members["unless"], f"'unless' of '{name}'")
            if "unless" in members
            else None
        )
        source = self.known_sources(members.get("source"), node.line)
        rule_or_none = None
        if effect is not None and when is not None:
            rule_or_none = CheckedRule(
                pack=self.pack,
                id=f"{self.pack}.{name}",
                effect=effect,
                when=when,
                unless=unless,
                because=self.desk.text(members.get("because"), f"'because' of '{name}'"),
                code=self._code(members.get("code")),
                finer_codes=self._finer_codes(members.get("codes")),
                remedy=self.desk.text(members.get("remedy"), f"'remedy' of '{name}'"),
                cites=self.desk.texts(members.get("cites"), f"'cites' of '{name}'"),
                source=source,
                verified=self.verified(members.get("verified"), source, node.line),
                obligations=self._obligations(members.get("obligations")),
                effective=self.effective(members.get("effective")),
                line=node.line,
                overridable=self.desk.flag(members.get("overridable"), f"'overridable' of '{name}'"),
                review_by=self._date(members.get("review_by")),
            )
            self._complete(rule_or_none, name)
        return rule_or_none if len(self.desk.found) == before else None

    def _effect(self, node: Node | None) -> Effect | None:
        """Read the effect; only base and access packs may permit."""
        word = self.desk.text(node, "effect")
        if not word or node is None:
            return None
        if word not in tuple(Effect):
            self.desk.unknown(node.line, "effect", word, tuple(Effect))
            return None
        if word == Effect.PERMIT and not self.may_permit:
            self.desk.add(
                node.line,
                "this pack may only forbid and oblige; permits come from the matrix and the stage model",
            )
            return None
        return Effect(word)

    def _code(self, node: Node | None) -> str:
        """Read a reason code."""
        code = self.desk.text(node, "code")
        if code and node is not None and code not in self.vocabulary.codes:
            self.desk.unknown(node.line, "code", code, self.vocabulary.codes)
        return code

    def _finer_codes(self, node: Node | None) -> tuple[tuple[str, Mapping[str, str]], ...]:
        """Read `codes: {fact: {value: code}}`, more exact codes for values of a fact."""
        found: list[tuple[str, Mapping[str, str]]] = []
        for name, table in self.desk.mapping(node, "codes").items():
            fact = self.grammar.facts.get(name)
            if fact is None:
                self.desk.unknown(table.line, "fact", name, self.grammar.facts)
                continue
            if not fact.values:
                self.desk.add(table.line, f"'{name}' has no list of values; 'codes' needs an enum")
                continue
            codes: dict[str, str] = {}
            for value, code in self.desk.mapping(table, f"codes of '{name}'").items():
                if value not in fact.values:
                    self.desk.unknown(code.line, f"value of '{name}':", value, fact.values)
                codes[value] = self._code(code)
            found.append((name, codes))
        return tuple(found)

    def _obligations(self, node: Node | None) -> tuple[str, ...]:
        """Read the ids of obligations."""
        for item in self.desk.items(node, "obligations"):
            if isinstance(item.value, str) and item.value not in self.vocabulary.obligations:
                self.desk.unknown(item.line, "obligation", item.value, self.vocabulary.obligations)
        return self.desk.texts(node, "obligations")

    def known_sources(self, node: Node | None, line: int) -> tuple[str, ...]:
        """Read the ids of sources."""
        for item in self.desk.items(node, "source"):
            if isinstance(item.value, str) and item.value not in self.sources:
                self.desk.unknown(item.line, "source", item.value, self.sources)
        return self.desk.texts(node, "source")

    def verified(self, node: Node | None, source: Collection[str], line: int) -> bool:
        """Read `verified`; a rule that rests on a source which was not read cannot be."""
        said = self.desk.flag(node, "verified")
        if said and not source:
            self.desk.add(line, "a rule without a source cannot say verified: true; name the source rows")
        weak = [name for name in source if name in self.sources and not self.sources[name].solid]
        if said and weak:
            self.desk.add(
                line,
                f"the source '{weak[0]}' was not read at its origin, so the rule cannot say verified: true",
            )
        return said

    def effective(self, node: Node | None) -> Effective:
        """Read `effective: {from, until}`; dates are ISO, `until` is the first day it no longer holds."""
        if node is None:
            return Effective()
        members = self.desk.members(node, "effective", ("from", "until"))
        if not members:
            self.desk.add(node.line, "'effective' is empty; write from, until or both")
        span = Effective(self._date(members.get("from")), self._date(members.get("until")))
        if span.since and span.until and span.until <= span.since:
            self.desk.add(node.line, "the rule can never apply: it ends before it begins")
        return span

    def _date(self, node: Node | None) -> date | None:
        """Read an ISO date."""
        if node is None:
            return None
        try:
            return date.fromisoformat(str(node.value))
        except ValueError:
            self.desk.add(node.line, f"'{node.value}' is no date; write for example 2026-11-21")
            return None

    def _complete(self, rule: CheckedRule, name: str) -> None:
        """Complain about what a rule of its effect lacks or may not have."""
        if rule.effect is Effect.FORBID:
            for member, held in (("code", rule.code), ("cites", rule.cites)):
                if not held and not (self.is_access and member == "cites"):
                    self.desk.add(rule.line, f"the forbid '{name}' needs '{member}'")
        elif rule.overridable:
            self.desk.add(rule.line, f"'{name}' does not forbid, so there is nothing to override")
        elif rule.code or rule.finer_codes:
            self.desk.add(rule.line, f"'{name}' does not forbid, so it has no code")
        if (rule.effect is Effect.OBLIGE) != bool(rule.obligations):
            self.desk.add(rule.line, f"'{name}' needs obligations if it obliges, and only then")
