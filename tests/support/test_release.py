"""Files and folders that only `scripts/test --all` runs exist, each named once."""

import pytest

from tests.support.release import ONLY_IN_ALL, REPOSITORY, is_only_in_all


@pytest.mark.parametrize("name", ONLY_IN_ALL)
def test_entry_of_the_table_exists_and_is_in_no_other_entry(name: str) -> None:
    assert (REPOSITORY / name).exists()
    assert not is_only_in_all((REPOSITORY / name).parent)


def test_file_of_a_listed_folder_is_left_to_a_release() -> None:
    assert is_only_in_all(REPOSITORY / "tests/faults/privileges/test_attacks.py")
    assert not is_only_in_all(REPOSITORY / "tests/faults/syscalls/test_two_senders.py")
