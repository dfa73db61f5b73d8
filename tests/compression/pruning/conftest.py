"""Trainings in tests run silently, on one thread."""

from tests.quiet import one_silent_thread as one_silent_thread
