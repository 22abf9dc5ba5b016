"""The file that the README shows is a learner."""

import re
from pathlib import Path

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
