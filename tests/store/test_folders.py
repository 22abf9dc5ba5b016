"""The folders of further aliases: hard links to the very files of a version, made by whoever follows first."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from world.fakes import run_release

from interlock.errors import DeliveryError, Unwritable
from interlock.store.folders import EngineFolder

MODEL = "best_model"
NAMES = ("model.onnx", "manifest.json")


@pytest.fixture
def folder(world):
    run_release(world, 1)
    run_release(world, 2)
    return EngineFolder(world.store.paths(MODEL), f"{MODEL}--B")


def linked(world, version: int) -> bool:
    plain, apart = world.store.paths(MODEL).version(version), world.store.root / "models" / f"{MODEL}--B" / str(version)
    return all((plain / name).samefile(apart / name) for name in NAMES) and not list(
        world.store.paths(MODEL).staging.iterdir()
    )


def test_replicas_that_follow_at_once_link_the_same_version_and_never_take_a_file_away(world, folder):
    """The second one ended with a FileExistsError."""
    folder.link(1)
    apart = world.store.root / "models" / folder.name / "1" / "model.onnx"
    for _ in range(50):
        apart.unlink()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: folder.link(1), range(8)))
        assert linked(world, 1)


@pytest.mark.parametrize("half", ["nothing", "one file", "other bytes", "a folder", "a pipe", "a dangling link"])
@pytest.mark.parametrize("name", NAMES)
def test_a_link_that_is_half_made_is_mended(world, folder, half, name):
    """A killed launcher left model.onnx without its manifest, or the other way round, for good."""
    folder.link(1)
    path = world.store.root / "models" / folder.name / "1" / name
    path.unlink()
    if half == "nothing":
        (path.parent / next(other for other in NAMES if other != name)).unlink()
    make = {
        "other bytes": lambda: path.write_bytes(b"other"),
        "a folder": path.mkdir,
        "a pipe": lambda: os.mkfifo(path),
        "a dangling link": lambda: path.symlink_to("nowhere"),
    }
    make.get(half, lambda: None)()

    folder.link(1)

    assert linked(world, 1)


def test_a_version_whose_files_were_replaced_is_linked_again(world, folder):
    folder.link(1)
    onnx = world.store.paths(MODEL).onnx(1)
    content = onnx.read_bytes()
    onnx.unlink()
    onnx.write_bytes(content)
    assert not linked(world, 1)

    folder.link_again(1)
    folder.link_again(2)

    assert linked(world, 1)
    assert not (world.store.root / "models" / folder.name / "2").exists()


@pytest.mark.parametrize("config", ["a folder", "a pipe", "binary", "a dangling link"])
def test_a_configuration_that_is_no_text_is_replaced_or_removed(world, folder, config):
    path = world.store.root / "models" / folder.name / "config.pbtxt"
    for act in (lambda: folder.write_config("name: 'x'"), folder.remove_config):
        folder.link(1)
        path.unlink(missing_ok=True)
        make = {
            "a folder": path.mkdir,
            "a pipe": lambda: os.mkfifo(path),
            "binary": lambda: path.write_bytes(b"\xff\xfe"),
            "a dangling link": lambda: path.symlink_to("nowhere"),
        }
        make[config]()
        assert folder.config is None

        act()

    assert folder.config is None
    assert folder.write_config("name: 'x'")
    assert not folder.write_config("name: 'x'")


def test_nothing_is_linked_through_a_linked_folder(world, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (world.store.root / "models" / folder.name).symlink_to(outside)

    for act in (lambda: folder.link(1), lambda: folder.write_config("x"), folder.remove_config):
        with pytest.raises(Unwritable, match="is a link, and nothing is written through one"):
            act()
    assert list(outside.iterdir()) == []


def test_a_version_that_is_not_there_cannot_be_linked(folder):
    with pytest.raises(DeliveryError, match="/7"):
        folder.link(7)
