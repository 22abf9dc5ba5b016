"""
Prefect's automation for runs that nobody is left to end: their process and its worker were killed together.

    no heartbeat for 150 s  ->  Crashed  ->  the chat is told, by Prefect's server

It changes only what Prefect says. What the run left open is finished by the loop, which tells what it did.
"""

from datetime import timedelta
from typing import cast
from uuid import UUID

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture

from interlock.settings import Settings

SILENT = timedelta(seconds=150)
"""Five heartbeats of those that `prefect.yaml` asks for."""
HEARTBEAT = "prefect.flow-run.heartbeat"
ANYTHING = "prefect.flow-run.*"
"""Any change of its state is a sign of life; events carry the state's name, and ours have names of their own."""
WHY = f"no heartbeat for {SILENT.total_seconds():g} s: its process and its worker are gone"
TOLD = f"CRASHED: {{{{ flow.name }}}} {{{{ flow_run.name }}}}: {WHY} | {{{{ flow_run|ui_url }}}}"


def crash_silent_runs(environment: str, chat: UUID | None) -> Automation:
    """Return the automation, not yet saved, for the runs of our deployments; *chat* is the block that is told."""
    told: list[ActionTypes] = [SendNotification(block_document_id=chat, subject="interlock", body=TOLD)] if chat else []
    return Automation(
        name=f"interlock {environment}: runs that fell silent",
        description="What they left open is finished by `interlock reconcile`.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={ANYTHING},
            for_each={"prefect.resource.id"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=[_tag("interlock"), _tag(environment)],
            posture=Posture.Proactive,
            threshold=1,
            within=SILENT,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=WHY), *told],
    )


def save_automation(settings: Settings) -> None:
    """Create the automation of an environment, or replace it."""
    wanted = crash_silent_runs(settings.environment, _chat(settings))
    try:
        made = cast("Automation", Automation.read(name=wanted.name))  # typed as if it had to be awaited
    except ValueError:
        wanted.create()
        return
    wanted.id, wanted.enabled = made.id, made.enabled  # an operator may have switched it off
    wanted.update()


def _tag(name: str) -> dict[str, str]:
    return {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{name}"}


def _chat(settings: Settings) -> UUID | None:
    """Save the chat once more, as a block of Prefect's own, which its server can call; the URL stays a secret."""
    if settings.chat_url is None:
        return None
    from prefect.blocks.notifications import CustomWebhookNotificationBlock  # its import costs two seconds

    block = CustomWebhookNotificationBlock(
        name=f"interlock {settings.environment}",
        url="{{hook}}",
        json_data={"text": "{{body}}"},
        secrets={"hook": settings.chat_url.get_secret_value()},
    )
    return cast("UUID", block.save(f"interlock-{settings.environment}", overwrite=True))
