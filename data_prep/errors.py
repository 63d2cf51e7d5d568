"""How preparing a dataset can end without a prepared folder.

Each carries the whole message for the user: the value, the rule, the remedy.
"""


class InputError(Exception):
    """The input or the usage is wrong; the command exits with 2."""


class MissingInputError(Exception):
    """The publisher's files are not there; the command goes on and exits with 3."""


class UnavailableError(Exception):
    """No host gave a file; the message says why for each. The caller may know more."""
