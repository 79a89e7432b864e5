"""Names written by two hands."""

import pytest

from vietmer_core.data.names import name_key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Lan", " lan ", True),
        ("Trần\u00a0 Lan", "trần lan", True),
        ("Bình", "Bi\u0300nh", True),
        ("Lan", "Lân", False),
        ("s1", "s 1", False),
        (" ", "", True),
    ],
)
def test_case_spaces_and_forms_of_unicode_do_not_count(one: str, other: str, *, same: bool) -> None:
    assert (name_key(one) == name_key(other)) == same
