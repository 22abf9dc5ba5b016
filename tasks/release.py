"""The steps of a release, visible by their names in the Prefect UI. What they do is in `interlock.release.steps`."""

from prefect.logging import get_run_logger

from interlock.errors import DigestRefused
from interlock.records import Current
from interlock.release.steps import Release
from tasks.step import may_try_again, step


@step()
def snapshot(release: Release, *, force: bool) -> None:
    """
    Write down the state before and after, before the first side effect.

    Raises:
        DigestRefused: These bytes failed before, and not *force*.
    """
    try:
        release.snapshot(force=force)
    except DigestRefused as refused:
        msg = f"{refused}; force=true tries it all the same"
        raise DigestRefused(msg) from refused


@step()
def materialize(release: Release) -> None:
    """Put the version into the model repository, checked against its digest."""
    release.materialize()


@step(retries=0)
def trial(release: Release) -> None:
    """Try the candidate alone, in a child process with limits, before any engine sees its bytes."""
    release.trial()


@step()
def load(release: Release) -> None:
    """Make the candidate answer pinned requests on every replica, exposed to nobody."""
    release.load()


@step()
def ready(release: Release) -> None:
    """Ask every replica whether it has the candidate."""
    release.ready()


@step()
def smoke(release: Release) -> None:
    """Compare the candidate's answers to the golden rows, on every replica."""
    release.smoke()


@step()
def commit(release: Release) -> Current:
    """Write the decision: the one commit point."""
    return release.commit()


@step()
def switch(release: Release) -> None:
    """Let every engine follow the decision; a replica that stays away is named, not waited for."""
    release.switch(patient=may_try_again())


@step()
def confirm(release: Release) -> None:
    """Look whether every replica serves the decision."""
    release.confirm(patient=may_try_again())


@step(retries=0)
def point_alias(release: Release) -> None:
    """Point the alias at what serves now; a registry that is away or says no leaves it pending for `reconcile`."""
    if pending := release.point_alias():
        get_run_logger().warning("alias %s stays %s", release.candidate.alias, pending)


def carry_out(release: Release, *, force: bool) -> None:
    """Make every step of an open release or rollback, in order."""
    snapshot(release, force=force)
    materialize(release)
    trial(release)
    load(release)
    ready(release)
    smoke(release)
    commit(release)
    switch(release)
    confirm(release)
    point_alias(release)
