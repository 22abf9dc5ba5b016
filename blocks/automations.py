"""Prefect's automation for runs that nobody is left to end: their process and its worker were killed together."""

from datetime import timedelta
from typing import cast

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture

SILENT = timedelta(seconds=150)
"""Five heartbeats of those that `prefect.yaml` asks for."""
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = ["Completed", "Failed", "Crashed", "Cancelled", "Paused", "Suspended", "AwaitingRetry"]


def crash_silent_runs() -> Automation:
    """
    Return the automation, not yet saved: a run of our deployments without a heartbeat becomes *Crashed*.

    It changes only what Prefect says. What the run left open is finished by the loop, which tells the chat.
    """
    ends = {f"prefect.flow-run.{end}" for end in ENDS}
    return Automation(
        name="interlock: runs that fell silent",
        description="Their process and its worker are gone; what they left open is finished by `interlock reconcile`.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT} | ends,
            for_each={"prefect.resource.id"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.interlock"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENT,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat: its process is gone")],
    )


def save_automation() -> None:
    """Create the automation, or replace it: there is one for both environments."""
    wanted = crash_silent_runs()
    try:
        made = cast("Automation", Automation.read(name=wanted.name))  # typed as if it had to be awaited
    except ValueError:
        wanted.create()
        return
    wanted.id = made.id
    wanted.update()
