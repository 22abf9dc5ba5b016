"""How much memory is free: what the control groups of this process allow, and the machine has."""

import pytest

from delivery.errors import Refused
from serving.memory import check_room, free_bytes

MIB = 2**20
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")


def group(folder, names, limit, used, cache=0):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]} {cache}\n")


def member(tmp_path, text):
    (tmp_path / "self").write_text(text)
    return tmp_path / "groups", tmp_path / "self"


def test_the_tightest_group_of_version_2_counts_and_the_file_cache_is_free(tmp_path):
    group(tmp_path / "groups/pod", V2, 90 * MIB, 50 * MIB, cache=10 * MIB)
    group(tmp_path / "groups/pod/app", V2, "max", 40 * MIB)

    assert free_bytes(*member(tmp_path, "0::/pod/app\n")) == 50 * MIB


def test_a_group_of_version_1_counts(tmp_path):
    group(tmp_path / "groups/memory/app", V1, 90 * MIB, 50 * MIB, cache=10 * MIB)
    group(tmp_path / "groups/memory", V1, 2**63 - 4096, 900 * MIB)

    assert free_bytes(*member(tmp_path, "9:name=systemd:/\n4:cpu,memory:/app\n0::/\n")) == 50 * MIB


@pytest.mark.parametrize("path", ["/kubepods/pod1/abc", "/../../abc"])
def test_in_a_container_its_own_group_may_be_the_only_one_in_sight(tmp_path, path):
    group(tmp_path / "groups", V2, 90 * MIB, 50 * MIB)

    assert free_bytes(*member(tmp_path, f"0::{path}\n")) == 40 * MIB


def test_more_used_than_allowed_is_nothing_free(tmp_path):
    group(tmp_path / "groups", V2, 40 * MIB, 50 * MIB)

    assert free_bytes(*member(tmp_path, "0::/\n")) == 0


@pytest.mark.parametrize("text", ["0::/\n", "", "9:cpu:/\n4:memory:/gone\n"])
def test_without_a_limit_it_is_what_the_machine_has(tmp_path, text):
    assert free_bytes(*member(tmp_path, text)) > 50 * MIB
    assert free_bytes(tmp_path, tmp_path / "no-linux") > 50 * MIB


def test_this_process_can_tell():
    assert free_bytes() > 50 * MIB


def test_no_room_is_refused_with_numbers():
    check_room("m v1", 10 * MIB, 10 * MIB)
    with pytest.raises(Refused, match="m v1 needs 1,500 MiB of memory and 700 MiB are free"):
        check_room("m v1", 1500 * MIB, 700 * MIB)
