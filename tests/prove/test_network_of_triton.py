"""
A fault at every call of a release, a rollback and a reconcile to Triton, by HTTP and by gRPC, once and for good.

The Triton behind the proxies is the one in this process; tests/adapters hold it and the real one to one contract.
"""

import json
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from check.users import Users
from inject.control_proxy import ControlProxy, control_proxy
from inject.proxy import FAULTS, Calls, Proxy, proxy
from prove.network import ACTS, attack, points
from world.engines import triton_engine
from world.fake_mlflow import FakeMlflow, fake_mlflow
from world.fake_triton import FakeTriton, fake_triton
from world.models import ROW
from world.over_sockets import C_OF, MODEL, PATIENT_S, Wires, candidate_of, files_of

from interlock.release.engine import Engine
from interlock.store import Store

KEY = "key"
INFER = f"/v2/models/{MODEL}/infer"
BODY = json.dumps({"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": ROW}]})


class TritonUsers(Users):
    """Ask Triton itself, un-versioned."""

    def one(self, client):
        client.request("POST", INFER, BODY, {"content-type": "application/json"})
        answer = json.loads(client.getresponse().read())
        _, probabilities = answer["outputs"]
        return int(answer["model_version"]), round(max(probabilities["data"]), 5)


@dataclass
class TritonWires(Wires):
    """Triton instead of the serving app; `serving_proxy` is before its HTTP."""

    triton: FakeTriton | None = None
    control: ControlProxy | None = None

    @property
    def engine(self) -> Engine:
        return triton_engine(
            "dev",
            [(self.serving_proxy.url, self.control.address)],
            KEY,
            self.store,
            timeout_s=self.timeout_s,
            load_timeout_s=self.timeout_s,
            latency_budget_ms=5000,
        )

    def heal(self) -> None:
        super().heal()
        self.control.heal()

    @property
    def services(self) -> tuple[str, ...]:
        return ("HTTP", "gRPC")

    def attacked(self, service: str) -> Calls:
        return self.control if service == "gRPC" else self.serving_proxy


@dataclass
class TritonHall:
    """Makes wires, each over a repository and a Triton of its own."""

    folder: object
    mlflow: FakeMlflow
    registry: Proxy
    http: Proxy
    control: ControlProxy
    cases: int = 0

    @contextmanager
    def wires(self, live: int):
        self.cases += 1
        self.mlflow.aliases.clear()
        store, template = Store(self.folder / str(self.cases)), self.folder / f"live-{live}"
        if template.exists():
            shutil.copytree(template, store.root)
            self.mlflow.aliases[MODEL, "A"] = str(live)
        (store.root / "models").mkdir(parents=True, exist_ok=True)
        with fake_triton(store.root / "models", KEY) as triton:
            self.http.upstream, self.control.upstream = triton.http, triton.grpc
            wires = TritonWires(store, self.mlflow, self.registry, self.http, [], PATIENT_S, triton, self.control)
            wires.heal()
            if template.exists():
                triton.load(MODEL)
            else:
                for version in range(1, live + 1):
                    wires.release(version)
                shutil.copytree(store.root, template)
            yield wires
            wires.heal()


@pytest.fixture(scope="module")
def tritons(tmp_path_factory):
    with ExitStack() as stack:
        mlflow = stack.enter_context(fake_mlflow())
        for version in C_OF:
            mlflow.register(MODEL, f"run-{version}", files_of(version), candidate_of(version).sha256)
        registry, http = stack.enter_context(proxy(mlflow.url)), stack.enter_context(proxy(""))
        yield TritonHall(
            tmp_path_factory.mktemp("triton"), mlflow, registry, http, stack.enter_context(control_proxy())
        )


def users_of(wires):
    return TritonUsers([wires.triton.http])


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("service", ["HTTP", "gRPC"])
@pytest.mark.parametrize("act", ACTS)
def test_a_fault_at_any_call_to_triton_is_mended_by_one_reconcile(tritons, act, service, fault, for_good):
    for at in points(tritons.wires, act, service, fault):
        attack(tritons.wires, users_of, act, service, fault, at, for_good=for_good)
