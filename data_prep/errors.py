"""The two ways in which preparing a dataset ends without a prepared folder.

Each carries the whole message for the user: the value, the rule, the remedy.
"""


class InputError(Exception):
    """The input or the usage is wrong; the command exits with 2."""


class MissingInputError(Exception):
    """The publisher's files are not there; the command goes on and exits with 3."""
