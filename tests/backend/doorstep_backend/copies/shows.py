"""Which copies of a photo there are."""

from enum import StrEnum


class Shows(StrEnum):
    """Whether a copy has the parcel's label in it; faces it never has."""

    LABEL = "label"
    NO_LABEL = "no_label"
