"""A question about messages, made ready: the same for everybody it is asked about. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.communications.abroad import ByCountry
from governance.communications.opt_outs import PHONE_CHANNELS
from governance.consent.model import Question


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: `facts` are the same for everybody. `signing_up`: the message asks to confirm
    a sign-up, so a sign-up that waits is what its status is, even where an earlier withdrawal still stands
    against everything else. `product_family`: what the message is about. `at_all_hours`: no rule looks at
    local time, so none is reckoned. `every_no`: what the person said no to for other purposes and channels
    counts too. `abroad`: see `abroad.answers_for`.
    """

    facts: Mapping[str, Any]
    consent: Question
    point_type: str
    signing_up: bool = False
    product_family: str | None = None
    at_all_hours: bool = False
    every_no: bool = False
    abroad: ByCountry | None = None

    @property
    def confirms_an_opt_out(self) -> bool:
        """Whether the message tells somebody that their no took effect."""
        return bool(self.facts["message.class"] == "opt_out_confirmation")

    @property
    def by_telephone(self) -> bool:
        """Whether the message is a call or a text."""
        return self.consent.channel in PHONE_CHANNELS
