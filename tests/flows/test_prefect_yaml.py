"""prefect.yaml is checked here, because Prefect ignores keys that it does not know."""

import inspect
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from prefect import Flow
from prefect.server.events.schemas.automations import EventTrigger as ServerTrigger

from blocks.automations import SILENT, crash_silent_runs
from flows.recover_run import recover_run

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
KEYS = {"name", "entrypoint", "description", "tags", "work_pool", "parameters", "schedules"}
BLOCKS = ("registry", "repository", "serving", "triton", "chat", "feature_store", "prediction_log", "batches")


def flow_of(deployment) -> Flow:
    module, name = deployment["entrypoint"].split(":")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: f"{d['entrypoint']}/{d['name']}")
class TestDeployment:
    def test_its_keys_are_prefects(self, deployment):
        assert set(deployment) <= KEYS

    def test_its_parameters_are_the_flows(self, deployment):
        assert set(deployment.get("parameters", {})) <= set(inspect.signature(flow_of(deployment).fn).parameters)

    def test_its_blocks_and_pool_are_its_environments(self, deployment):
        signature = inspect.signature(flow_of(deployment).fn).parameters
        for block in set(BLOCKS) & set(signature) - ({"serving"} if "triton" in signature else set()):
            used = deployment.get("parameters", {}).get(block, signature[block].default)
            assert used == deployment["name"]
        assert deployment["work_pool"]["name"] == f"interlock-{deployment['name']}"
        assert deployment["work_pool"]["job_variables"]["stream_output"] is False

    def test_no_run_waits_for_a_slot_that_a_dead_one_holds(self, deployment):
        assert "concurrency_limit" not in deployment

    def test_its_heart_beats_often_enough_for_the_automation_to_miss_it(self, deployment):
        beat = int(deployment["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
        assert beat >= 30, "Prefect takes nothing less"
        assert 3 * timedelta(seconds=beat) <= SILENT, "a run that lives is not to be called crashed"

    def test_the_form_in_the_ui_runs_as_it_is(self, deployment):
        parameters = inspect.signature(flow_of(deployment).fn).parameters.values()
        assert all(parameter.default is not inspect.Parameter.empty for parameter in parameters)

    def test_every_way_to_end_badly_has_the_hook(self, deployment):
        flow = flow_of(deployment)
        assert "chat" in inspect.signature(flow.fn).parameters
        for hooks in (flow.on_failure_hooks, flow.on_crashed_hooks, flow.on_cancellation_hooks):
            assert recover_run in hooks


def test_every_flow_is_deployed_in_both_environments():
    entrypoints = {name: {d["entrypoint"] for d in DEPLOYMENTS if d["name"] == name} for name in ("dev", "prod")}
    assert entrypoints["dev"] == entrypoints["prod"]


def test_the_hook_takes_what_prefect_passes_by_keyword():
    assert list(inspect.signature(recover_run).parameters) == ["flow", "flow_run", "state"]


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_only_runs_of_our_deployments_are_called_crashed(environment):
    tags = [related["prefect.resource.id"] for related in crash_silent_runs(environment, None).trigger.match_related]

    assert tags == [["prefect.tag.interlock"], [f"prefect.tag.{environment}"]]
    assert all(set(d["tags"]) == {"interlock", d["name"]} for d in DEPLOYMENTS)


@pytest.mark.parametrize(
    "name", ["Completed", "Released", "Skipped", "Rejected", "RolledBack", "TimedOut", "heartbeat"]
)
def test_a_run_that_ended_under_whatever_name_is_not_called_crashed(name):
    """Prefect names the event by the state's name, and the names of ours are many: asked of Prefect's own trigger."""
    made = crash_silent_runs("dev", None).trigger.model_dump(mode="json", exclude={"owner", "id"})
    trigger = ServerTrigger.model_validate(made)

    assert trigger.expects(f"prefect.flow-run.{name}")
    assert trigger.starts_after(f"prefect.flow-run.{name}") is (name == "heartbeat")


def test_every_flow_is_for_the_same_model_by_default():
    models = {inspect.signature(flow_of(d).fn).parameters["model"].default for d in DEPLOYMENTS if has_model(d)}
    assert models - {None} == {"best_model"}


def has_model(deployment) -> bool:
    return "model" in inspect.signature(flow_of(deployment).fn).parameters
