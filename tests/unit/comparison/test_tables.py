import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.comparison.tables import TextTable, as_csv, as_latex, as_markdown, latex_text

cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=4))
def test_csv_reads_back(rows: list[tuple[str, str]]) -> None:
    text = as_csv([{"first": first, "second": second} for first, second in rows])
    assert [(row["first"], row["second"]) for row in csv.DictReader(text.splitlines())] == rows


@given(st.text(st.sampled_from("a_%&#$~^\\{}|<>±"), max_size=12))
def test_latex_text_has_no_bare_character_with_a_meaning(text: str) -> None:
    plain = latex_text(text)
    for escape in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}", r"\textless{}", r"\textgreater{}"):
        plain = plain.replace(escape, "")
    for escape in ("$\\pm$", "\\_", "\\%", "\\&", "\\#", "\\$", "\\{", "\\}"):
        plain = plain.replace(escape, "")
    assert not set(plain) & set("_%&#$~^\\{}<>±")


def test_unescaped_text_would_be_caught() -> None:
    assert set("a_b") & set("_%&")
    assert latex_text("a_b") == r"a\_b"


def test_columns_can_be_left_out() -> None:
    table = TextTable(title="t", columns=("a", "b", "c"), rows=(("1", "2", "3"),), num_left=2)
    assert table.without({"b"}) == TextTable(title="t", columns=("a", "c"), rows=(("1", "3"),), num_left=1)
    assert table.without(()) == table


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="must have 2 cells, but has 1"):
        TextTable(title="t", columns=("a", "b"), rows=(("1",),))
    with pytest.raises(ValueError, match="must have a row"):
        as_csv([])


def test_markdown_and_latex_align_numbers_right() -> None:
    table = TextTable(title="t_1", columns=("a|b", "c"), rows=(("x", "1"),))
    assert as_markdown(table) == "t_1\n\n| a\\|b | c |\n| --- | --: |\n| x | 1 |\n"
    assert r"\begin{tabular}{lr}" in as_latex(table)
    assert r"\caption{t\_1}" in as_latex(table)
