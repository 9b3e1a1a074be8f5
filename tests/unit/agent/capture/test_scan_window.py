"""The scan window: how long it is open, which codes count, and at which pictures it may look."""

from agent.capture.scan_window import WINDOW_S, OpenWindow
from tests.support.benchtop import Bench


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def opened(*, asked: bool = True) -> OpenWindow:
    return OpenWindow(edge_ns=ns(4), since_ns=ns(5), asked=asked)


def test_a_window_is_open_for_ten_seconds() -> None:
    assert WINDOW_S == 10.0
    assert not opened().is_over(ns(5))
    assert not opened().is_over(ns(14.99))
    assert opened().is_over(ns(15))


def test_first_code_of_the_last_picture_counts_if_the_route_knows_none() -> None:
    """The press is then refused, and not decided by place as if nobody had scanned."""
    seen = (
        opened()
        .after_codes(["FIRST"])
        .after_codes([])
        .after_codes(["SECOND", "THIRD"])
        .after_codes([])
    )

    assert opened().unknown is None
    assert seen.unknown == "SECOND"


def test_stray_labels_count_only_if_the_driver_asked() -> None:
    assert opened(asked=False).after_codes(["FIRST"]).unknown is None


def test_no_picture_is_taken_in_a_window_whose_manifest_has_ended(device: Bench) -> None:
    """The loop asked a moment before, when the manifest was still in force."""
    window = device.loop._window  # noqa: SLF001 - the loop looks only while there is a manifest
    window.open(0, 0, asked=True)

    assert window.look() is None
    assert device.parts.camera.starts == 0
