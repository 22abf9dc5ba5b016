"""The disk is full, or becomes so in the middle: the old version serves on; with space again one reconcile mends it."""

import pytest
from inject.cases import Case
from inject.full_disk import Full, SmallDisk, mounted
from prove.share import share
from world.processes import make_versions

LEVELS = (0, *share(range(1, 29)), 29)
"""Free blocks of 4 KiB: a release needs some twenty and a rollback a few; none is too little, and 29 are enough."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    home = tmp_path_factory.mktemp("full")
    (home / "disk").mkdir()
    make_versions(home / "made")
    with mounted(home / "disk") as why_not:
        if why_not:
            pytest.skip(f"NO SMALL DISK WAS FILLED: {why_not}. Run it as root, where mounts are allowed")
        rig = SmallDisk(home, home / "made", disk=home / "disk")
        yield rig
        rig.close()


@pytest.mark.parametrize("scene", ["release", "rollback"])
def test_the_old_version_serves_on_a_full_disk_and_one_reconcile_mends_it(disk, scene):
    ended = [disk.run(Case(scene, (Full(left),))) for left in LEVELS]

    assert not [str(case) for case in ended if case.wrong]
    assert {"done" in case.told[0] for case in ended} == {True, False}, "some levels are too low, and some are not"


@pytest.mark.parametrize("scene", ["release", "rollback"])
def test_a_reconcile_on_the_full_disk_harms_nothing(disk, scene):
    ended = [disk.run(Case(scene, (Full(left), Full(left)))) for left in LEVELS]

    assert not [str(case) for case in ended if case.wrong]
