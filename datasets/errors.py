"""The one family of errors that a user can cause, and the help that they carry."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_LISTED = 60
AGAIN = "repeat the embodied-ssl collect or import that made it"
"""The remedy for data that are damaged: what is intact is kept."""


class DataError(ValueError):
    """A data set, or a request for one, that cannot be used. The message is one line: what, where, and the remedy."""


def unknown_name(what: str, name: str, valid: Iterable[str]) -> DataError:
    """An error for a name that is none of `valid`: it offers the nearest one, and lists them if they are few."""
    names = sorted(valid)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    listed = f"valid are {', '.join(names)}" if len(names) <= MOST_LISTED else f"there are {len(names):,} of them"
    return DataError(f"unknown {what} '{name}': {hint}{listed}")
