"""The file that the README shows is a learner."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from interlock.training.catalogue import parameters
from interlock.training.train import train


def test_the_learner_in_the_readme_trains_and_passes_the_default_gate():
    (code,) = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[2] / "README.md").read_text(), re.DOTALL)
    module: dict[str, object] = {}
    exec(code, module)
    learner = module["LEARNER"]

    trained = train("wine", learner, parameters(learner, {}))

    assert trained.metrics["accuracy"] > 0.9
    assert trained.manifest("run").columns[0].name == "alcohol"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # MLflow warns as it likes
def test_the_script_in_the_readme_registers_a_version(tmp_path):
    pytest.importorskip("xgboost", reason="the extra `boosting` is not installed")
    text = (Path(__file__).parents[2] / "README.md").read_text()
    (code,) = re.findall(r"\n\n((?:    .*\n|\n)*?    import interlock\n(?:    .*\n|\n)+)", text)
    (tmp_path / "script.py").write_text(dedent(code))

    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    from mlflow.tracking import MlflowClient  # its import costs seconds

    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert client.get_model_version("wine", "1").tags["gate"] == "script"
