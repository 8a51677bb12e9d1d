"""`governance demo` and `governance demo-data`: the main job, end to end, on a made-up CRM."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from governance.commands import sample
from governance.commands.console import console, json_option, say
from governance.commands.demo_service import Service, serving

MAPPING = Path(__file__).parent / "demo.mapping.yaml"
PROMOTION = {
    "action": "communication.send",
    "channel": "email",
    "message_class": "promotional",
    "purpose": "marketing",
}


@click.command("demo-data")
@click.option("--subjects", default=500, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option("--seed", default=7, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output.")
@json_option
def demo_data(subjects: int, seed: int, output: Path | None, as_json: bool) -> None:
    """Make a sample CRM export: invented people, the same for the same seed.

    With `--json` the people are printed as one document; with `--output` too, the file is CSV and the
    document names it.
    """
    made: dict[str, Any] = {"subjects": subjects, "seed": seed}
    if output is not None:
        with output.open("w", encoding="utf-8", newline="") as target:
            sample.write(target, subjects, seed)
    if as_json:
        named = {"rows": list(sample.rows(subjects, seed))} if output is None else {"output": str(output)}
        say(as_json, made | named, "")
    elif output is None:
        sample.write(sys.stdout, subjects, seed)


@click.command()
@click.option("--subjects", default=500, show_default=True, type=click.IntRange(50, 100_000))
@click.option("--seed", default=7, show_default=True)
@json_option
def demo(subjects: int, seed: int, as_json: bool) -> None:
    """Show the main job on a made-up CRM: import, screen, send, withdraw, move, prove."""
    out = Console(quiet=True) if as_json else console()
    with tempfile.TemporaryDirectory(prefix="governance-demo-") as name:
        folder = Path(name)
        with serving(folder / "data") as service:
            told = _Demo(service, out, folder).run(subjects, seed)
    if as_json:
        say(as_json, told, "")


class _Demo:
    """The steps, each with one sentence that says what it shows."""

    def __init__(self, service: Service, out: Console, folder: Path) -> None:
        self.service = service
        self.out = out
        self.folder = folder
        self.step = 0
        self.addresses: dict[str, str] = {}
        self.told: dict[str, Any] = {"messages": [], "checks": [], "moves": []}

    def run(self, subjects: int, seed: int) -> dict[str, Any]:
        """Go through all steps; gives what each came to, for `--json`."""
        self._import(subjects, seed)
        groups = self._screen()
        self._send(groups)
        self._withdraw(groups)
        self._move(groups)
        self._prove()
        self.out.print("\nDone: everything above was answered by a real server over HTTP, and can be proven.")
        return self.told

    def _say(self, title: str, sentence: str) -> None:
        self.step += 1
        heading = f"{self.step}. {title}"
        if self.out.is_terminal:
            self.out.print(Panel(sentence, title=heading, title_align="left"))
        else:
            self.out.print(f"\n{heading}\n{sentence}\n")

    def _import(self, subjects: int, seed: int) -> None:
        self._say(
            "Import",
            f"{subjects} invented leads come in as a CRM exports them; nothing in it counts as consent.",
        )
        file = self.folder / "leads.csv"
        with file.open("w", encoding="utf-8", newline="") as target:
            sample.write(target, subjects, seed)
        self.addresses = {row["Lead Id"]: row["E-mail"] for row in sample.rows(subjects, seed)}
        started = self.service.upload("/v1/imports", {"file": file, "mapping": MAPPING})
        done = self.service.until(f"/v1/imports/{started['id']}")
        counts = self.told["import"] = done["counts"]
        self.out.print(
            f"{counts['rows']} rows read: {counts['created']} people created, {counts['updated']} updated, "
            f"{counts['failed']} rows refused."
        )

    def _screen(self) -> dict[str, list[str]]:
        self._say(
            "Screen everyone for a promotional e-mail",
            "Each person counts once, at the first reason that keeps the message from them.",
        )
        started = self.service.post("/v1/screenings", {"question": PROMOTION, "audience": {"all": True}})
        done = self.service.until(f"/v1/screenings/{started['id']}")
        self.told["screening"] = {name: done[name] for name in ("total", "allowed", "waterfall")}
        table = Table("", "people", "left", box=None if not self.out.is_terminal else Table().box)
        left = done["total"]
        table.add_row("everyone", "", str(left))
        for fall in done["waterfall"]:
            left -= fall["count"]
            table.add_row(f"  less {fall['code']}", str(fall["count"]), str(left))
        table.add_row("may be written to", "", str(done["allowed"]))
        self.out.print(table)
        groups: dict[str, list[str]] = {"allowed": []}
        for line in self.service.lines(f"/v1/screenings/{started['id']}/results"):
            result = json.loads(line)
            keys = ["allowed"] if result["decision"] == "allow" else result["codes"][:1]
            if len(result["codes"]) == 1 and result["codes"][0] == "consent-missing":
                keys = ["needs-consent-only"]
            for key in keys:
                groups.setdefault(key, []).append(result["id"])
        return groups

    def _send(self, groups: Mapping[str, list[str]]) -> None:
        self._say(
            "Hand messages over",
            "The sender asks once per message: a yes carries duties; a no the reason, law and remedy.",
        )
        self._authorise(groups["allowed"][0], "message-1")
        wanted = ("consent-withdrawn", "suppressed", "undeliverable", "needs-consent-only", "stage-mismatch")
        for number, code in enumerate([code for code in wanted if groups.get(code)], start=2):
            self._authorise(groups[code][0], f"message-{number}")

    def _authorise(self, person: str, message: str) -> None:
        properties = {key: value for key, value in PROMOTION.items() if key != "action"}
        answer = self.service.post(
            "/v1/communications",
            {"subject": {"id": person}, "message_id": message, "campaign": "spring", **properties},
            also=(403,),
        )
        self.told["messages"].append(self._answer(person, answer["decision"]))
        if answer["status_code"] == 403:
            self._print_refusal(person, answer["decision"])
            return
        duties = ", ".join(
            one["properties"]["action"] for one in answer["decision"]["context"]["obligations"]
        )
        self.out.print(f"YES  {person}: hand over before {answer['hand_over_by']}")
        self.out.print(f"     duties: {duties or 'none'}")
        for name, value in answer.get("headers", {}).items():
            self.out.print(f"     {name}: {value}")

    def _answer(self, person: str, decision: Mapping[str, Any]) -> dict[str, Any]:
        """What `--json` tells of a decision."""
        reasons = [
            {name: reason[name] for name in ("code", "rule", "cites", "remedy")}
            for reason in decision["context"]["reasons"]
        ]
        return {"person": person, "decision": decision["decision"], "reasons": reasons}

    def _print_refusal(self, person: str, decision: Mapping[str, Any]) -> None:
        self.out.print(f"NO   {person}")
        for reason in decision["context"]["reasons"]:
            self.out.print(f"     {reason['code']}: {reason['text']}")
            self.out.print(f"       law: {'; '.join(reason['cites'])}")
            if reason.get("remedy"):
                self.out.print(f"       remedy: {reason['remedy']}")

    def _check(self, person: str) -> Mapping[str, Any]:
        properties = {key: value for key, value in PROMOTION.items() if key != "action"}
        answer: Mapping[str, Any] = self.service.post(
            "/access/v1/evaluation",
            {
                "subject": {"type": "component", "id": "campaign-engine"},
                "action": {"name": "communication.send", "properties": properties},
                "resource": {"type": "data_subject", "id": person},
            },
        )
        self.told["checks"].append(self._answer(person, answer))
        return answer

    def _withdraw(self, groups: Mapping[str, list[str]]) -> None:
        self._say(
            "Consent is given, proven, and withdrawn",
            "A proven consent opens the gate for one person; a withdrawal closes it for the very next check.",
        )
        person = groups["needs-consent-only"][0]
        self.service.put(
            "/v1/notices/newsletter/versions/1",
            {"texts": {"en": "We write to you about courses. You can stop this at any time."}},
        )
        consent = {
            "subject": {"id": person},
            "purpose": "marketing",
            "channel": "email",
            "contact_point": {"type": "email", "value": self.addresses[person]},
            "method": "web_form",
            "notice": {"id": "newsletter", "version": "1", "language": "en"},
            "evidence": {"form_url": "https://www.example.org/newsletter"},
        }
        given = self.service.post("/v1/consents", {**consent, "status": "granted"})
        self.out.print(f"granted: ledger position {given['ledger']['position']}, signed receipt issued")
        self.out.print(f"check:   {'YES' if self._check(person)['decision'] else 'NO'}")
        withdrawn = self.service.post(
            "/v1/consents",
            {
                "subject": {"id": person},
                "purpose": "marketing",
                "channel": "email",
                "status": "withdrawn",
                "method": "web_form",
            },
        )
        self.out.print(f"withdrawn: ledger position {withdrawn['ledger']['position']}")
        self._print_refusal(person, self._check(person))

    def _move(self, groups: Mapping[str, list[str]]) -> None:
        self._say(
            "Move people along the lifecycle",
            "A move needs what its rule asks for, and says what changes with it.",
        )
        leads = [one for one in groups["allowed"] if self._stage(one) == "lead"]
        body = {"model": "relationship", "subject": {"id": leads[0]}}
        moved = self.service.post(
            "/v1/lifecycle/transitions",
            {
                **body,
                "to": "client",
                "evidence": {"contract_reference": "C-2026-0001"},
                "because": "referred",
            },
        )
        self.told["moves"].append(
            {
                "person": leads[0],
                "from": moved["from"],
                "to": moved["to"],
                "consequences": moved["consequences"],
            }
        )
        self.out.print(f"YES  {leads[0]}: {moved['from']} -> {moved['to']}")
        for name, values in moved["consequences"].items():
            if values:
                self.out.print(f"     {name.replace('_', ' ')}: {', '.join(map(_words, values))}")
        refused = self.service.post(
            "/v1/lifecycle/transitions",
            {"model": "relationship", "subject": {"id": leads[1]}, "to": "active_service"},
            also=(403,),
        )
        self.told["moves"].append(self._answer(leads[1], refused["decision"]))
        self._print_refusal(leads[1], refused["decision"])

    def _stage(self, person: str) -> str | None:
        stage: str | None = self.service.get(f"/v1/subjects/{person}")["relationship"]
        return stage

    def _prove(self) -> None:
        self._say(
            "Prove it",
            "The audit trail is exported and checked offline with the public key only.",
        )
        export = self.folder / "audit.ndjson"
        export.write_text("".join(self.service.lines("/v1/audit/export")), encoding="utf-8", newline="")
        verified = subprocess.run(
            [sys.executable, "-m", "governance", "audit", "verify", str(export)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.told["audit"] = {"verified": verified.returncode == 0, "said": verified.stdout.strip()}
        self.out.print((verified.stdout + verified.stderr).strip())
        if verified.returncode != 0:
            raise click.ClickException("The export does not verify.")


def _words(consequence: Any) -> str:
    """A consequence in words: codes as they are, a retention clock with what happens to it."""
    if isinstance(consequence, dict):
        return " ".join(str(value) for key, value in consequence.items() if key != "at")
    return str(consequence)
