"""Which copies of a photo there are."""

from enum import StrEnum


class Shows(StrEnum):
    """The copies with and without the parcel label; faces are in neither."""

    LABEL = "label"
    NO_LABEL = "no_label"
