"""Block: where people are told about releases."""

from typing import ClassVar

from pydantic import Field, HttpUrl, SecretStr

from blocks.named import NamedBlock
from interlock.adapters.notify import Chat, Silence, Webhook


class ChatWebhook(NamedBlock):
    """
    A webhook that takes `{"text": ...}`, as Slack, Mattermost and others do.

    Example:
        ```python
        from blocks.chat_webhook import ChatWebhook

        chat = ChatWebhook.load("BLOCK_NAME").connect()
        chat.say("hello")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Chat Webhook"
    _block_type_slug: ClassVar[str | None] = "chat-webhook"
    _documentation_url = HttpUrl("https://api.slack.com/messaging/webhooks")

    url: SecretStr | None = Field(
        default=None, description="The webhook's URL, a secret; none: messages are only logged."
    )
    timeout_s: float = Field(default=5.0, gt=0, description="Seconds that a message may take.")

    def connect(self) -> Chat:
        """Return where people are told."""
        return Webhook(self.url.get_secret_value(), self.timeout_s) if self.url else Silence()
