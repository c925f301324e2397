class StackError(Exception):
    """The local stack cannot go on; the message says what is wrong and what to do, for people."""


class WrongSettingsError(StackError):
    """Some setting will not do; the message has a line for each variable."""
