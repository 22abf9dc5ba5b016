"""
The command `interlock`: the operator's verbs, none of which needs Prefect.

    main      the command
    operate   history, rollback, reconcile, prune
    adopt     a model that somebody else trained becomes a version
    engines   list engines, and take one out that is gone
    status    what runs, what is live, and what disagrees
    loop      reconcile, once or for ever
    here      which environment a command works on, and who gives it
    output    tables for people, JSON for programs
    shell     the lines that `interlock up` prints
    announce  tell people what an operator, or the loop, did
"""

import sys

from interlock.errors import NotInstalled
from interlock.extras import extra


def run() -> None:
    """Run the command `interlock`; where only the serving app is installed, say what is missing."""
    try:
        with extra("control"):
            from interlock.cli.main import main  # the control side is an extra
    except NotInstalled as error:
        sys.exit(f"interlock: {error}")
    main()
