"""What can keep the local stack from coming up."""


class StackError(Exception):
    """The local stack is not as asked; the message says what to do."""


class NotHere(StackError):
    """There is no stack where it is looked for, or it is somebody else's; the message says what names another place."""
