"""Tell people what an operator, or the loop, did: in the chat, and on the model's page in Prefect."""

import logging
from dataclasses import dataclass

from interlock.adapters.notify import Chat, Silence, Webhook
from interlock.errors import DeliveryError
from interlock.release.message import ended, message
from interlock.release.page import page_key, page_name, release_page
from interlock.release.steps import Release
from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.prefect_api import PrefectApi

log = logging.getLogger(__name__)
CHAT_S = 5.0
PREFECT_S = 2.0
"""Most seconds that each may take; what is told is done by then, and is not undone for it."""


@dataclass(frozen=True)
class Announcer:
    """Who is told; Prefect is asked over its API, because importing it costs two seconds."""

    chat: Chat
    prefect: PrefectApi
    ui: str

    def link(self, flow_run_id: str) -> str:
        """Return where a flow run is seen."""
        return f"{self.ui}/runs/flow-run/{flow_run_id}"

    def released(self, release: Release) -> None:
        """Tell of a release or a rollback that is done, and put it on the model's newest page."""
        candidate = release.candidate
        subject = f"{candidate.model} {candidate.alias} v{candidate.version} (run {candidate.run_id})"
        what, why = ended(release)
        self.chat.say(message(what, subject, why, release.current.describe(candidate.alias)))
        self._publish(page_name(candidate.model, candidate.alias), release_page(release))

    def failed(self, model: str, alias: str, error: DeliveryError, what: str = "ROLLBACK FAILED") -> None:
        """Tell of a rollback that was not made, or of a release."""
        self.chat.say(message(what, f"{model} {alias}", str(error)))

    def _publish(self, name: str, markdown: str) -> None:
        page = {"key": page_key(name), "type": "markdown", "description": "By the operator", "data": markdown}
        try:
            self.prefect.post("artifacts/", page)
        except StackError as error:
            log.warning("the page %s in Prefect still says what was before: %s", page["key"], error)


def announcer(settings: Settings) -> Announcer:
    """Return whom *settings* name; nothing is opened before the first message."""
    chat = Webhook(settings.chat_url.get_secret_value(), CHAT_S) if settings.chat_url else Silence()
    prefect = PrefectApi(settings.prefect_reached, settings.prefect_auth, PREFECT_S)
    return Announcer(chat, prefect, settings.prefect_ui)
