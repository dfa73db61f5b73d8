"""Names that nothing has yet."""

from collections.abc import Callable


def unused(name: str, is_taken: Callable[[str], object]) -> str:
    """The name proposed; where it is taken, that with the first number that makes it new.

    >>> unused("conv", {"conv", "conv_2"}.__contains__)
    'conv_3'
    """
    free, number = name, 2
    while is_taken(free):
        free, number = f"{name}_{number}", number + 1
    return free
