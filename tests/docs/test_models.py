"""docs/models.md says what the code does with every estimator of scikit-learn, and none ends in a traceback."""

import pytest
from docs.models_table import BEGIN, END, PAGE, WORKS, table, verdicts

pytestmark = pytest.mark.slow


def test_the_table_is_what_the_code_says():
    (made,) = [part.split(END)[0] for part in PAGE.read_text().split(BEGIN)[1:]]

    assert made == table(), "run `make models`"


@pytest.mark.parametrize(("kind", "goal"), [("classifier", 27), ("regressor", 38)])
def test_so_many_work_on_numeric_data(kind, goal):
    assert sum(plain == WORKS for plain, _ in verdicts(kind).values()) >= goal
