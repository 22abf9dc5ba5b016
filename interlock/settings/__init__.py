"""
Everything that is set by environment variables, in one place, so that a variable that nobody knows is noticed.

    base            what all settings have in common: an unknown `INTERLOCK_*` variable is an error
    stack           the local stack, the blocks and the command `interlock`
    serving         the serving app
    prediction_log  the serving app's prediction log
"""

from interlock.settings.prediction_log import LogSettings
from interlock.settings.serving import ServingSettings
from interlock.settings.stack import PORTS, Listener, Settings

__all__ = ["PORTS", "Listener", "LogSettings", "ServingSettings", "Settings"]
