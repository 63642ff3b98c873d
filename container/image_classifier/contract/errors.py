"""Errors named after who must act on them."""


class JobError(Exception):
    """Any failure that this program explains itself.

    The text is one sentence or a list of sentences: what is wrong, where, what was given,
    what is allowed, and what to do. It is shown as it is, without a traceback.
    """

    owner = "unknown"


class UserError(JobError):
    """The request, its data or its model must be changed by whoever sent it."""

    owner = "user"


class AlgorithmError(JobError):
    """This program failed at something that it promised; the fix is ours."""

    owner = "algorithm"


class PlatformError(JobError):
    """The machine or the platform withheld something: memory, disk, a device, a host."""

    owner = "platform"
