"""
What a page in a user's browser can do to the stack, played as a browser does it: nothing.

A page sends simple requests anywhere (no preflight: GET, or POST of text), reads what CORS lets it read, and sends what
it likes to its own name, which it may have bound to this machine meanwhile (DNS rebinding).
"""

import json

import httpx
import psutil
import pytest
from support.planted import PLANTED
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from interlock.stack.processes import processes
from interlock.stack.supervisor import Supervisor

EVIL = "http://evil.example"
SIMPLE = [{"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}, {}]
TRITON_KEY_SHOWN = "triton"
"""tritonserver 2.51 takes the key of its control APIs in its command line only."""


@pytest.fixture(scope="module")
def servers(stack) -> dict[str, str]:
    """The base URL of every part that listens."""
    listening = [part.name for part in processes(stack.settings) if part.ports]
    return {name: stack.settings.local_url(name) for name in listening}


@pytest.fixture(scope="module")
def secrets(stack) -> list[str]:
    settings = stack.settings
    made = (settings.prefect_login(), settings.serving_token(), settings.triton_key())
    return [secret.get_secret_value() for secret in made] + [secret for secret, _ in PLANTED.values()]


@pytest.fixture
def nothing_happens(stack, tmp_path):
    """No flow run is made, and no command runs; yield what would show that one did."""
    before = len(stack.prefect("flow_runs/filter", {}))
    yield tmp_path / "pwned"
    assert not (tmp_path / "pwned").exists()
    assert len(stack.prefect("flow_runs/filter", {})) == before


def is_open(answer: httpx.Response) -> bool:
    """Whether a browser lets the page read the answer."""
    return answer.headers.get("access-control-allow-origin") in ("*", EVIL)


def attacks(stack, shown) -> list[tuple[str, object]]:
    """What ran a command, and what gave out the passwords, before the server asked who comes."""
    (deployed,) = stack.prefect("deployments/filter", {"deployments": {"name": {"any_": ["dev"]}}, "limit": 1})
    run = {"job_variables": {"command": f"touch {shown}"}, "state": {"type": "SCHEDULED"}}
    return [
        (f"deployments/{deployed['id']}/create_flow_run", run),
        ("block_documents/filter", {"include_secrets": True}),
        ("flow_runs/filter", {}),
        ("variables/", {"name": "pwned", "value": "x"}),
    ]


@pytest.mark.parametrize("headers", SIMPLE)
def test_what_needs_no_preflight_starts_nothing_in_prefect_and_tells_nothing(stack, nothing_happens, secrets, headers):
    for path, body in attacks(stack, nothing_happens):
        content = json.dumps(body).encode()
        url = f"{stack.settings.prefect_api}/{path}"
        answer = httpx.post(url, content=content, headers={"origin": EVIL, **headers}, timeout=10)

        assert answer.status_code in (401, 403), path
        assert not is_open(answer)
        assert not [secret for secret in secrets if secret in answer.text]


def test_a_page_that_was_bound_to_this_machine_starts_nothing_in_prefect_and_tells_nothing(
    stack, nothing_happens, secrets
):
    """Its own name is its own origin, so it may send every header; what it lacks is who it is."""
    port = stack.settings.port("prefect")
    own = {"origin": f"{EVIL}:{port}", "host": f"evil.example:{port}"}
    token = httpx.get(f"{stack.settings.prefect_api}/csrf-token?client=page", headers=own, timeout=10)
    assert token.status_code == 401

    for path, body in attacks(stack, nothing_happens):
        csrf = {"prefect-csrf-token": "guessed", "prefect-csrf-client": "page"}
        for more in ({}, csrf, csrf | {"authorization": "Basic Og=="}, {"authorization": "Bearer x"}):
            answer = httpx.post(f"{stack.settings.prefect_api}/{path}", json=body, headers=own | more, timeout=10)

            assert answer.status_code in (401, 403), path
            assert not [secret for secret in secrets if secret in answer.text]


@pytest.mark.parametrize("path", ["events/in", "events/out", "logs/out"])
def test_prefects_streams_ask_who_comes_too(stack, path):
    url = f"{stack.settings.prefect_api}/{path}".replace("http://", "ws://")

    with pytest.raises(WebSocketException), connect(url, origin=EVIL, subprotocols=["prefect"]) as page:
        page.send(json.dumps({"type": "auth", "token": "guessed"}))
        page.recv(timeout=10)


def test_no_server_lets_a_foreign_page_read_or_ask_more(servers):
    paths = {"prefect": "/api/flows/filter", "mlflow": "/api/2.0/mlflow/registered-models/create"}
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-token"}
    for name, url in servers.items():
        for path in ("/", paths.get(name, "/reload")):
            for method, more in (("GET", {}), ("OPTIONS", asked)):
                answer = httpx.request(method, f"{url}{path}", headers={"origin": EVIL} | more, timeout=10)
                assert not is_open(answer), (name, path, method)


@pytest.mark.parametrize("host", ["evil.example", "10.evil.example", "127.0.0.1.evil.example", "192.168.evil.example"])
def test_under_a_foreign_name_mlflow_and_the_app_tell_nothing(servers, host):
    """Of MLflow's defaults 10.* and 192.168.* are patterns of names, too."""
    asked = {
        "mlflow": ("/", "/api/2.0/mlflow/registered-models/search", "/ajax-api/2.0/mlflow/experiments/search"),
        "serving": ("/readyz", "/model-info", "/metrics", "/docs"),
    }
    for name, paths in asked.items():
        for path in paths:
            answer = httpx.get(f"{servers[name]}{path}", headers={"host": f"{host}:1"}, timeout=10)
            assert answer.status_code in (400, 403), (name, path)


@pytest.mark.parametrize("headers", SIMPLE)
def test_what_needs_no_preflight_changes_nothing_in_mlflow(stack, servers, headers):
    body = json.dumps({"name": "pwned"}).encode()
    for api in ("api", "ajax-api"):
        url = f"{servers['mlflow']}/{api}/2.0/mlflow/registered-models/create"
        assert httpx.post(url, content=body, headers={"origin": EVIL, **headers}, timeout=10).status_code == 403
    query = json.dumps({"query": "query { mlflowSearchModelVersions(input: {}) { modelVersions { name } } }"}).encode()
    graphql = f"{servers['mlflow']}/graphql"
    assert httpx.post(graphql, content=query, headers={"origin": EVIL, **headers}, timeout=10).status_code == 400

    models = httpx.get(f"{servers['mlflow']}/api/2.0/mlflow/registered-models/search", timeout=10).json()
    assert "pwned" not in str(models)


@pytest.mark.parametrize("headers", SIMPLE)
def test_what_needs_no_preflight_changes_nothing_that_serves(stack, servers, headers):
    page = {"origin": EVIL, **headers}
    for path in ("reload", "variant/A/reload", "variant/A/stage"):
        answer = httpx.post(f"{servers['serving']}/{path}", content=b'{"version": 1}', headers=page, timeout=10)
        assert answer.status_code == 403
    if "triton" in servers:
        for path in ("index", "models/best_model/load", "models/best_model/unload"):
            answer = httpx.post(f"{servers['triton']}/v2/repository/{path}", content=b"{}", headers=page, timeout=10)
            assert answer.status_code == 403


def all_processes(stack) -> list[tuple[str, psutil.Process]]:
    """Every process of every part."""
    found = []
    for part, pid in Supervisor(stack.settings).pids().items():
        process = psutil.Process(pid)
        found += [(part, each) for each in (process, *process.children(recursive=True))]
    return found


def test_each_part_has_in_its_environment_what_it_needs_and_no_other_secret(stack):
    auth = stack.settings.prefect_login().get_secret_value()
    owners = dict(PLANTED.values()) | {auth: {"prefect", "worker"}}
    for secret, needed in owners.items():
        has = {part for part, process in all_processes(stack) if secret in str(process.environ())}
        assert has == needed
    token, key = stack.settings.serving_token(), stack.settings.triton_key()
    for secret in (token.get_secret_value(), key.get_secret_value()):
        assert not [part for part, process in all_processes(stack) if secret in str(process.environ())]


def test_no_secret_stands_in_a_command_line(stack, secrets):
    key = stack.settings.triton_key().get_secret_value()
    for part, process in all_processes(stack):
        shown = [secret for secret in secrets if secret in " ".join(process.cmdline())]
        assert set(shown) <= ({key} if part == TRITON_KEY_SHOWN else set()), part


def test_no_secret_stands_in_a_file_that_others_read(stack, secrets):
    files = [path for path in stack.settings.home.rglob("*") if path.is_file()]
    holding = [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]

    assert {path.name for path in holding} == {"prefect-auth", "serving-token", "triton-key"}
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}


def test_prefects_own_page_asks_for_the_login(stack):
    told = httpx.get(f"{stack.settings.local_url('prefect')}/ui-settings", timeout=10).json()

    assert (told["auth"], told["csrf_enabled"]) == ("BASIC", True)
