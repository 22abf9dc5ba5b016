"""What may name a model, an alias, a version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import InvalidName
from interlock.names import alias_name, model_name, version_number


@pytest.mark.parametrize("name", ["best_model", "m", "Iris-2", "a" * 64])
def test_a_plain_name_is_taken(name):
    assert model_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "1model", "a--b", "a/b", "../x", "a b", "a\n", "a" * 65, "é", "-rf", "a.b", "%2e"]
)
def test_a_name_that_is_not_safe_in_a_path_is_refused(name):
    with pytest.raises(InvalidName, match="must match"):
        model_name(name)


@pytest.mark.parametrize("alias", ["latest", "Latest", "candidate", "v1", "V22", "1", "a" * 33, "A B"])
def test_reserved_and_unsafe_aliases_are_refused(alias):
    with pytest.raises(InvalidName):
        alias_name(alias)


@pytest.mark.parametrize("version", [0, -1, 2**31, "1.0", "01", True, None, "99999999999999999999", "1\n"])
def test_what_is_no_version_is_refused(version):
    with pytest.raises(InvalidName):
        version_number(version)


@given(st.text())
def test_no_text_leaves_the_repository(text):
    """Whatever passes is one path segment of safe characters."""
    try:
        name = model_name(text)
    except InvalidName:
        return
    assert name.isascii()
    assert not set(name) & set("/\\.% \n\0")


@given(st.integers(1, 2**31 - 1))
def test_every_version_in_range_is_taken(version):
    assert version_number(version) == version_number(str(version)) == version
