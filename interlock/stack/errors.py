"""What can keep the local stack from coming up."""


class StackError(Exception):
    """The local stack is not as asked; the message says what to do."""
