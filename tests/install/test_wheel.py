"""What is installed from the wheel is all that `interlock up` needs."""

import subprocess
import sys
import zipfile

from interlock.stack.processes import ROOT

SAY = "from interlock.stack.provision import prefect_yaml; print(prefect_yaml().read_text(), end='')"


def test_an_installed_interlock_finds_its_deployments(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheel")]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = (tmp_path / "wheel").iterdir()
    with zipfile.ZipFile(wheel) as content:
        content.extractall(tmp_path / "site")

    installed = {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", SAY], env=installed, cwd=tmp_path, capture_output=True, check=True)

    assert done.stdout.decode() == (ROOT / "prefect.yaml").read_text()
