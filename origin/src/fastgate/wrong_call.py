"""The two errors with which a command ends early.

Input: what went wrong, for people. Output: an exception that the command line prints.
"""


class WrongCall(Exception):
    """The command cannot be carried out as it was written. The message says why. Exit code 2."""


class AppFailed(Exception):
    """The app could not be imported. The message is its own traceback. Exit code 1."""
