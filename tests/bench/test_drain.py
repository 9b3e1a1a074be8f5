from tests.bench.drain import requests_for_records
from tests.support.backend import Counted


def test_requests_for_documents_are_none_of_a_records() -> None:
    """They go by the clock: a drain of ten records asks for the fleet document as often as one."""
    by_method = {"POST /files": 10, "GET /fleet": 2, "GET /manifest": 1}
    counts = Counted(13, 1, 0, by_method, est_requests=3)

    assert requests_for_records(counts) == 10
