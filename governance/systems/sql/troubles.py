"""What a database's errors mean, in sentences without what the driver said: it may hold secrets."""

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

_STATES = {
    "28P01": ("The database refused the user or the password; put the URL right.", False),
    "28000": ("The database refused the user or the password; put the URL right.", False),
    "3D000": ("There is no database of this name on that server; put the URL right.", False),
    "42501": (
        "The database user may not do this; grant it SELECT, UPDATE and DELETE on the mapped tables.",
        False,
    ),
    "42P01": ("A mapped table is not there any more; test the system and put the mapping right.", False),
    "42703": ("A mapped column is not there any more; test the system and put the mapping right.", False),
    "57014": (
        "The database took longer than `timeout_seconds`; index the key columns, or allow more time.",
        True,
    ),
    "55P03": ("Rows are locked by another program; it will be tried again.", True),
    "40P01": ("Two programs waited for each other's rows; it will be tried again.", True),
    "40001": ("Another program changed the same rows; it will be tried again.", True),
    "25006": ("The database takes no changes (it is read-only).", False),
}
_REFUSED = (
    "password authentication failed",
    "authentication failed",
    "no password supplied",
    "access denied",
    "login failed",
    "pg_hba.conf",
    'role "',
)
_NO_DATABASE = ('database "', "unknown database")
_UNCLEAR = (
    "The database refused the connection; it will be tried again. If it still refuses, look at the user, the "
    "password and the name of the database in the URL.",
    True,
)
"""What a server says before anybody is logged in comes without a code, in its own language."""


def sentence_for(error: SQLAlchemyError) -> tuple[str, bool]:
    """A sentence, and whether it is worth trying again."""
    if not isinstance(error, DBAPIError):
        return "The database and the mapping do not fit together; test the system.", False
    state = getattr(error.orig, "sqlstate", None)
    if state in _STATES:
        return _STATES[state]
    said = str(error.orig).lower()
    if isinstance(error, IntegrityError):
        return (
            "The database forbids the change because other rows refer to these, or because a value must be "
            "unique or present. Map the tables that refer to them, then repeat.",
            False,
        )
    if isinstance(error, OperationalError):
        if any(each in said for each in _REFUSED):
            return _STATES["28P01"]
        if any(each in said for each in _NO_DATABASE) and ("does not exist" in said or "unknown" in said):
            return _STATES["3D000"]
        if "locked" in said:
            return _STATES["55P03"]
        if "readonly" in said or "read-only" in said:
            return _STATES["25006"]
        if "fatal" in said:
            return _UNCLEAR
        return "The database cannot be reached; it will be tried again.", True
    return "The database refused a statement; test the system and put the mapping right.", False
