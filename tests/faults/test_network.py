"""
A fault at every call of a release, a rollback and a reconcile to MLflow and to the serving app, once and for good.

Afterwards everything is there again, and one reconcile makes all agree; users notice nothing throughout.
"""

import pytest
from faults import hall as made
from faults.fake_mlflow import fake_mlflow
from faults.hall import Hall, check_told, check_users, eventually, outcome
from faults.invariants import pass_of_reconcile, violations
from faults.network import ACTS, points
from faults.proxy import FAULTS, Proxy, proxy
from faults.users import Users
from faults.wires import IMPATIENT_S, MODEL, Wires

from adapters.mlflow_registry import Registration
from delivery.errors import Refused


@pytest.fixture(scope="module")
def hall(tmp_path_factory):
    with fake_mlflow() as mlflow, proxy(mlflow.url) as registry, proxy("") as serving:
        hall = Hall(tmp_path_factory.mktemp("network"), mlflow, (registry, serving))
        yield hall
        hall.close()


def attacked(wires: Wires, service: str) -> Proxy:
    return wires.registry_proxy if service == "MLflow" else wires.serving_proxy


def prepare(wires: Wires, act: str) -> None:
    if act == "a reconcile":
        wires.release_killed_after_commit(2)
    wires.serving_proxy.calls.clear()
    wires.registry_proxy.calls.clear()


@pytest.fixture(scope="module")
def truth() -> dict[int, float]:
    return made.truth()


def calls(hall: Hall, act: str, service: str, apps: int) -> list[str]:
    """The calls that the act makes when nothing is wrong."""
    live, _, do = ACTS[act]
    with hall.wires(apps=apps, live=live) as wires:
        prepare(wires, act)
        do(wires)
        return list(attacked(wires, service).calls)


def attack(hall: Hall, truth, act: str, service: str, apps: int, fault: str, at: int, *, for_good: bool) -> None:
    live, wanted, do = ACTS[act]
    with hall.wires(apps=apps, live=live) as wires, Users(wires.apps) as users:
        prepare(wires, act)
        wires.timeout_s = IMPATIENT_S
        attacked(wires, service).inject(fault, at, for_good=for_good)
        error = outcome(lambda: do(wires))
        where = f"{act}, {service}, {fault} at call {at}{' and on' if for_good else ''}: {error}"
        if wanted:
            check_told(wires, error, wanted, where)
        assert eventually(lambda: wires.serving() == [wires.live()] * apps), f"the apps follow by themselves: {where}"
        wires.heal()
        pass_of_reconcile(wires)
        assert list(violations(wires)) == [], where
        assert wires.mlflow.aliases == {(MODEL, "A"): str(wires.live())}, where
        assert eventually(lambda: sum(users.answers.values()) > 0), where
    check_users(wires, users, truth, where)


once_and_for_good = pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
every_fault = pytest.mark.parametrize("fault", FAULTS)
every_act = pytest.mark.parametrize("act", ACTS)


@once_and_for_good
@every_fault
@every_act
def test_a_fault_at_any_call_to_the_serving_app_is_mended_by_one_reconcile(hall, truth, act, fault, for_good):
    for at in points(calls(hall, act, "serving", 1), fault):
        attack(hall, truth, act, "serving", 1, fault, at, for_good=for_good)


@every_fault
@every_act
def test_one_replica_of_two_that_fails_for_good_is_mended_by_one_reconcile(hall, truth, act, fault):
    for at in points(calls(hall, act, "serving", 2), fault):
        attack(hall, truth, act, "serving", 2, fault, at, for_good=True)


@once_and_for_good
@every_fault
@every_act
def test_a_fault_at_any_call_to_mlflow_is_mended_by_one_reconcile(hall, truth, act, fault, for_good):
    for at in points(calls(hall, act, "MLflow", 1), fault):
        attack(hall, truth, act, "MLflow", 1, fault, at, for_good=for_good)


@once_and_for_good
@every_fault
def test_a_training_run_stays_one_version_whatever_happens_to_its_registration(hall, fault, for_good):
    for at in range(4):
        with hall.wires() as wires:
            run_id = f"run-{fault}-{for_good}-{at}"
            wanted = Registration(f"m{at}_{fault}_{for_good}", run_id, "x", None, {"sha256": "0" * 64})
            wires.registry_proxy.inject(fault, at, for_good=for_good)
            wires.timeout_s = IMPATIENT_S
            error = outcome(lambda wires=wires, wanted=wanted: wires.registry.register(wanted))
            wires.heal()

            assert error is None or not isinstance(error, Refused), error
            assert {wires.registry.register(wanted) for _ in range(2)} == {1}
