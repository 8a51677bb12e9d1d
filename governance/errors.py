"""What can go wrong, as kinds: a class and a sentence. One table in `api/problems.py` turns them into HTTP.

Messages say what happened and what to do; they never hold personal data. Only what leaves no trace is
raised: a refusal that must be recorded (a denied act, a blocked resurrection) is a returned value.
"""

from collections.abc import Mapping, Sequence


class GovernanceError(Exception):
    """Something was asked that cannot be done; never raised directly."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidError(GovernanceError):
    """What was sent does not make sense; `fields` maps a field's path to its complaints."""

    code = "invalid"

    def __init__(self, message: str, *, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.fields: dict[str, list[str]] = {k: list(v) for k, v in (fields or {}).items()}


class NotFoundError(GovernanceError):
    """What was named does not exist (here, for this tenant)."""

    code = "not-found"


class ConflictError(GovernanceError):
    """What was asked contradicts what is; `reason` is a stable kebab-case name of the contradiction."""

    code = "conflict"

    def __init__(self, message: str, *, reason: str = "conflict") -> None:
        super().__init__(message)
        self.reason = reason


class StaleError(GovernanceError):
    """The version that the caller edited is no longer the newest."""

    code = "stale"


class TooManyError(GovernanceError):
    """Asked too often; `retry_after` is in whole seconds."""

    code = "too-many"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ExpiredError(GovernanceError):
    """A token or link was good once and is no longer."""

    code = "expired"


class UnreadableError(GovernanceError):
    """A sealed value cannot be opened: key destroyed, value moved or changed. Always the same sentence."""

    code = "unreadable"

    def __init__(self) -> None:
        super().__init__("This value cannot be opened.")


class SuspendedError(GovernanceError):
    """The tenant is suspended: nothing is permitted but what people do for themselves."""

    code = "tenant-suspended"


class NotReadyError(GovernanceError):
    """The service cannot start or answer as it is set up; the sentence says what to put right."""

    code = "not-ready"


class UnrecordedWriteError(Exception):
    """A programming error: rows were written in a unit of work that recorded no event."""
