"""How much memory is left, as Linux tells it."""

from pathlib import Path

import pytest

from interlock.model.memory import free_memory

MIB = 1024 * 1024


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return root


MACHINE = {"proc/meminfo": "MemTotal: 8192000 kB\nMemAvailable: 4096 kB\nCommitLimit: 3072 kB\nCommitted_AS: 2048 kB"}
V2 = {
    "proc/meminfo": "MemAvailable: 999999999 kB",
    "proc/self/cgroup": "0::/work/er",
    "sys/fs/cgroup/work/er/memory.max": "max",
    "sys/fs/cgroup/work/er/memory.current": 300 * MIB,
    "sys/fs/cgroup/work/memory.max": 700 * MIB,
    "sys/fs/cgroup/work/memory.current": 400 * MIB,
    "sys/fs/cgroup/work/memory.stat": f"anon 1\ninactive_file {50 * MIB}\nactive_file {30 * MIB}",
}
V1 = {
    "proc/meminfo": "MemAvailable: 999999999 kB",
    "proc/self/cgroup": "12:cpu,cpuacct:/\n5:memory:/docker/abc\n0::/",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": 500 * MIB,
    "sys/fs/cgroup/memory/memory.usage_in_bytes": 450 * MIB,
    "sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {20 * MIB}\ntotal_active_file {MIB}",
}


def inside(path):
    """A container, which sees its own group only, as the topmost one."""
    limits = {"memory.max": 90 * MIB, "memory.current": 50 * MIB}
    return {"proc/self/cgroup": f"0::{path}"} | {f"sys/fs/cgroup/{name}": size for name, size in limits.items()}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (MACHINE, 4 * MIB),
        ({**MACHINE, "proc/sys/vm/overcommit_memory": "2"}, MIB),
        ({**MACHINE, "proc/sys/vm/overcommit_memory": "0"}, 4 * MIB),
        (V2, 380 * MIB),
        ({**V2, "sys/fs/cgroup/work/er/memory.max": 200 * MIB}, 0),
        (V1, 71 * MIB),
        (inside("/kubepods/pod1/abc"), 40 * MIB),
        (inside("/../../abc"), 40 * MIB),
        ({}, None),
    ],
)
def test_the_smallest_of_what_is_left_counts(tmp_path, files, left):
    """Of the machine, of the group and of each group above it; pages of files are given back."""
    assert free_memory(write(tmp_path, files)) == left


def test_this_machine_tells_it():
    assert free_memory() > 0
