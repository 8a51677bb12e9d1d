"""Refusing a request, on a ground that the law of the person knows; the letter cites the clause."""

from governance.errors import InvalidError
from governance.rights import letters, states
from governance.rights.dossier import Dossier, keep, open_dossier, regime_of
from governance.rights.letter_files import words
from governance.rights.regime_files import law
from governance.settings import Settings
from governance.work import Work


def refuse(work: Work, request_id: str, *, ground: str, because: str | None = None) -> Dossier:
    """Refuse on a ground that the law knows, and say so with clause, complaint and appeal.

    An erasure that was ordered for it is taken back. InvalidError for a ground that this law does not know
    for such a request; it names those that it knows. ConflictError `closed`; `too-late` for an erasure that
    has begun.
    """
    dossier = open_dossier(work, request_id)
    case = states.move(dossier.case, states.REFUSE)
    policies, regime = work.resource(Settings).policies_dir, regime_of(work, dossier.request)
    known = law(policies).grounds(regime, dossier.request.type)
    if ground not in known:
        complaint = f"Use one of: {', '.join(known)}."
        sentence = "This ground does not fit: the law that applies does not know it for such a request."
        raise InvalidError(sentence, fields={"ground": [complaint]})
    clause = known[ground]
    cited = list(clause.ground.cites)
    dossier = keep(
        work,
        dossier,
        "refused",
        case=case,
        facts={"ground": ground, "cites": cited, "statutory": clause.statutory},
        told={"because": because},
        outcome=ground,
    )
    said = words(dossier.request.language, policies)
    cites = said.clauses(cited)
    letters.send(
        work,
        dossier,
        letters.REFUSAL,
        ground=said.grounds[ground],
        because=because or "",
        cites=cites if clause.statutory else "",
        lawless=not clause.statutory,
        model="" if clause.statutory else cites,
    )
    return dossier
