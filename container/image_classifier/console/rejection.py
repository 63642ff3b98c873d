"""A request that the console does not carry out, as a page that says what to do."""


class RejectedError(Exception):
    """One request that is not carried out; `errors` shows it as a page."""

    def __init__(self, status: int, title: str, reason: str, remedy: str):
        super().__init__(reason)
        self.status = status
        """HTTP status, 400 to 599."""
        self.title = title
        self.reason = reason
        self.remedy = remedy
        """What the user can do."""


def not_found(what: str, remedy: str) -> RejectedError:
    """Return the rejection of a request for a job, data set or model that does not exist: `not_found("Job x", ...)`."""
    return RejectedError(404, f"{what} does not exist", f"{what} was removed or its name is misspelt.", remedy)
