"""The two ways in which a command ends without doing what was asked.

Each carries the whole message for the user: what, where, the remedy.
"""


class InputError(Exception):
    """Bad usage or input; the command exits with 2."""


class RunError(Exception):
    """A run failed; the command exits with 1."""
