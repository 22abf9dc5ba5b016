"""
A fault at every call of a release, a rollback and a reconcile to MLflow and to the serving app, once and for good.

Afterwards everything is there again, and one reconcile makes all agree; users notice nothing throughout.
"""

from functools import partial

import pytest
from check.users import Users
from inject.proxy import FAULTS, proxy
from prove.network import ACTS, attack, points
from world.fake_mlflow import fake_mlflow
from world.over_sockets import IMPATIENT_S
from world.socket_worlds import Hall, outcome

from interlock.adapters.mlflow.registry import Registration
from interlock.errors import Garbled, Unreachable


@pytest.fixture(scope="module")
def hall(tmp_path_factory):
    with fake_mlflow() as mlflow, proxy(mlflow.url) as registry, proxy("") as serving:
        hall = Hall(tmp_path_factory.mktemp("network"), mlflow, (registry, serving))
        yield hall
        hall.close()


def users_of(wires):
    return Users(wires.apps)


once_and_for_good = pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
every_fault = pytest.mark.parametrize("fault", FAULTS)
every_act = pytest.mark.parametrize("act", ACTS)


@once_and_for_good
@every_fault
@every_act
@pytest.mark.parametrize("service", ["serving app", "MLflow"])
def test_a_fault_at_any_call_is_mended_by_one_reconcile(hall, act, service, fault, for_good):
    for at in points(hall.wires, act, service, fault):
        attack(hall.wires, users_of, act, service, fault, at, for_good=for_good)


@every_fault
@every_act
def test_one_replica_of_two_that_fails_for_good_is_mended_by_one_reconcile(hall, act, fault):
    of_two = partial(hall.wires, apps=2)
    for at in points(of_two, act, "serving app", fault):
        attack(of_two, users_of, act, "serving app", fault, at, for_good=True)


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

            assert error is None or isinstance(error, (Unreachable, Garbled)), error
            assert {wires.registry.register(wanted) for _ in range(2)} == {1}
