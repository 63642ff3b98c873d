"""Names of jobs, models and endpoints: letters, digits and hyphens, unique where the platform wants it."""

import re
import time

LONGEST = 63
"""Characters of a name, in every operation that makes something here."""
LONGEST_OF_A_SEARCH = 32
"""Characters of a tuning job's name; the platform adds to it for each training job."""
_STAMP = "-%Y%m%d-%H%M%S"
_UNIQUE = re.compile(r"(?P<text>.+)(?P<stamp>-\d{8}-\d{6})")


def plain(text: str) -> str:
    """Return a text as a name: what the platform does not accept becomes a hyphen.

    In lower case, since ARNs are, from which the name of a resource is read.
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:LONGEST].rstrip("-") or "job"


def unique(text: str, longest: int = LONGEST) -> str:
    """Return a name that begins with a text and ends with the time in UTC: names of jobs stay taken."""
    stamp = time.strftime(_STAMP, time.gmtime())
    return f"{plain(text)[: longest - len(stamp)].rstrip('-')}{stamp}"


def is_of(name: str, text: str) -> bool:
    """Return whether `unique` gave this name to a text; two texts with the same first letters may share one."""
    found = _UNIQUE.fullmatch(name)
    return found is not None and found["text"] == plain(text)[: LONGEST - len(found["stamp"])].rstrip("-")
