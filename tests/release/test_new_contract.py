"""A changed contract is refused with what changed, released if it is wanted, and gone back from as any other."""

import json

import pytest
from world.fakes import manifest_of, run_release

from interlock.errors import ContractChanged
from interlock.model.signature import Column, Input
from interlock.release.message import of_release
from interlock.release.open import rolled_back
from interlock.release.steps import carry_out


@pytest.fixture
def changed(world, release):
    """v1 is live; v2 takes one column more."""
    release(1)
    old = manifest_of(2)
    columns = [*old.columns, Column(name="age")]
    signature = old.signature.model_copy(
        update={"columns": columns, "inputs": [Input(name="input", columns=("x", "age"))]}
    )
    golden = old.golden.model_copy(update={"rows": [[1.0, 30.0]]})
    manifest = old.model_copy(update={"signature": signature, "golden": golden})
    world.registry.artifacts[2, "manifest.json"] = manifest.model_dump_json().encode()
    return world


def test_it_is_refused_with_what_clients_would_find(changed):
    with pytest.raises(
        ContractChanged, match="clients of v1 would find best_model v2 changed: it takes a new column age"
    ):
        run_release(changed, 2)

    assert changed.serving() == [1, 1]


def test_it_is_released_if_it_is_wanted_and_history_and_message_say_what_changed(changed):
    release = run_release(changed, 2, new_contract=True)

    assert changed.serving() == [2, 2]
    newest = next(iter(changed.store.entries("best_model")))
    assert "new contract: it takes a new column age float32" in newest.why
    assert "new contract: it takes a new column age float32" in of_release(release)


def test_a_rollback_across_it_needs_no_permission_and_says_so(changed):
    run_release(changed, 2, new_contract=True)

    with rolled_back(changed.env, "best_model", "A", 1, why="clients did not know") as rollback:
        carry_out(rollback)

    assert changed.serving() == [1, 1]
    newest = next(iter(changed.store.entries("best_model")))
    assert newest.why == "clients did not know; new contract: it takes no column age any more"


def test_the_same_contract_says_nothing(world, release):
    release(1)

    assert "contract" not in of_release(run_release(world, 2, new_contract=True))
    assert "contract" not in json.dumps([entry.why for entry in world.store.entries("best_model")])
