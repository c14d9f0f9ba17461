"""The errors with which a command ends early.

Input: what went wrong, for people. Output: an exception that the command line prints.
"""


class WrongCall(Exception):
    """The command cannot be carried out as it was written. The message says why. Exit code 2."""


class Failed(Exception):
    """The call was right, and something else is wrong. The message says what to do. Exit code 1."""


class AppFailed(Failed):
    """The app could not be imported. The message is its own traceback."""
