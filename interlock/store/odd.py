"""
What does not belong where it lies: moved to `odd/`, so that it stands in nobody's way; never followed, never deleted.

    a folder where a record belongs      set aside; the record counts as lost
    anything but a folder for a folder   set aside; a folder is made
    a link for a folder                  the staging folder's is set aside; whoever made another one is asked
    what no writer makes, in staging     set aside
"""

from pathlib import Path
from uuid import uuid4

from interlock.clock import utc_stamp
from interlock.errors import Unwritable
from interlock.store.contents import is_file, is_folder, is_link, is_there, names_in, shown
from interlock.store.durable import make_folder, move, remove, writing
from interlock.store.paths import ModelPaths


def own_folders(paths: ModelPaths) -> list[str]:
    """
    Make every folder that a writer needs, a real one within the repository; return what was set aside for that.

    Raises:
        Unwritable: The repository is read-only or full, or one of the folders is a link.
    """
    aside = [set_aside(paths, paths.staging)] if is_link(paths.staging) else []
    return aside + [what for folder in paths.folders for what in own_folder(paths, folder)]


def own_folder(paths: ModelPaths, folder: Path) -> list[str]:
    """Make one folder, as `own_folders` does."""
    check_no_link(folder)
    aside = [set_aside(paths, folder)] if is_there(folder) and not is_folder(folder) else []
    with writing(folder):
        make_folder(folder)
    return aside


def check_no_link(*folders: Path) -> None:
    """
    Look whether one of *folders* is a link, through which one would write and delete outside the repository.

    Raises:
        Unwritable: One is.
    """
    for folder in folders:
        if is_link(folder):
            what = "is a link, and nothing is written through one"
            msg = f"{shown(folder)} {what}: put the folder itself there, then repeat"
            raise Unwritable(msg)


def room_for_file(paths: ModelPaths, path: Path) -> list[str]:
    """Set a folder aside that lies where a file is to be put; whatever else lies there, a rename replaces."""
    return [set_aside(paths, path)] if is_folder(path) else []


def remove_file(paths: ModelPaths, path: Path) -> None:
    """Remove a file that a writer made, durably; set aside what is no file."""
    if not is_there(path) or is_file(path):
        remove(path)
    else:
        set_aside(paths, path)


def set_aside(paths: ModelPaths, path: Path) -> str:
    """Move whatever is at *path* into `odd/`, a link as a link; return what it was and where it is now."""
    target = paths.odd / f"{utc_stamp()}-{uuid4().hex[:8]}"
    check_no_link(paths.odd)
    with writing(paths.odd):
        make_folder(target)
        move(path, target / path.name)
    return f"{shown(path.relative_to(paths.root))} is at {shown((target / path.name).relative_to(paths.root))}"


def left_in_staging(paths: ModelPaths) -> list[Path]:
    """Return what a killed writer, or somebody else, left in the staging folder; what it is a link to is not ours."""
    if is_folder(paths.staging):
        return [paths.staging / name for name in names_in(paths.staging)]
    return [paths.staging] if is_there(paths.staging) else []
