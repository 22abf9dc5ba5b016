"""Parts of a batch: every row group once, in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.batch.parts import parts_of
from interlock.errors import InvalidName
from interlock.names import batch_name, table_name


@given(st.lists(st.integers(0, 300)), st.integers(1, 200))
def test_every_row_group_is_in_one_part_and_the_rows_follow_each_other(groups, chunk_rows):
    parts = parts_of(groups, chunk_rows)

    assert [number for part in parts for number in part.groups] == list(range(len(groups)))
    assert [part.number for part in parts] == list(range(len(parts)))
    assert [part.first for part in parts] == [sum(p.rows for p in parts[:n]) for n in range(len(parts))]
    assert sum(part.rows for part in parts) == sum(groups)
    assert all(part.rows >= chunk_rows for part in parts[:-1])
    assert all(part.rows < chunk_rows + max(groups) for part in parts if groups)


@pytest.mark.parametrize("name", ["", ".", "..", "../b", "a/b", "_b", ".work", "a" * 65, "a\n", "é"])
def test_a_name_that_is_no_folder_of_its_own_names_no_batch(name):
    with pytest.raises(InvalidName):
        batch_name(name)


@pytest.mark.parametrize("name", ["", "1a", "a.b", "a b", 'a"b', "a;", "a" * 64, "a\n"])
def test_a_name_that_needs_quotes_names_no_table(name):
    with pytest.raises(InvalidName):
        table_name(name)


def test_a_flow_run_names_a_batch():
    assert batch_name("0d611780-fb13-4b34-a1b1-ff4622ab34c8")
    assert table_name("batch_predictions")
