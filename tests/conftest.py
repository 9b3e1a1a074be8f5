"""What holds for every test."""

from hypothesis import settings

# No test is timed: on a busy machine an example may take any time.
settings.register_profile("doorstep", deadline=None)
settings.load_profile("doorstep")
