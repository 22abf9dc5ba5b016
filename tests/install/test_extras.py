"""Each side needs its own extra only, and what is missing is told with the extra that brings it."""

import subprocess
import sys

import pytest

from interlock.stack.processes import ROOT

CONTROL = (
    "prefect",
    "mlflow",
    "sklearn",
    "skl2onnx",
    "onnx",
    "httpx",
    "matplotlib",
    "supervisor",
    "typer",
    "rich",
    "pyarrow",
)
BLOCKED = """
import sys

class Blocked:
    names = sys.argv.pop(1).split(",")

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


def without(modules: tuple[str, ...], code: str) -> subprocess.CompletedProcess[str]:
    """Run *code* where *modules* cannot be imported."""
    command = [sys.executable, "-c", BLOCKED + code, ",".join(modules)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_serving_app_needs_nothing_of_the_control_side():
    modules = [
        path.stem
        for path in (ROOT / "interlock" / "serving").glob("*.py")
        if path.stem not in ("in_triton", "__main__")
    ]
    imports = "\n".join(f"import interlock.serving.{module}" for module in modules if module != "__init__")

    done = without(
        (*CONTROL, "tritonclient"), imports + "\nimport interlock.serving.prediction_log.database\nprint('whole')"
    )

    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


@pytest.mark.parametrize(
    ("modules", "code", "extra"),
    [
        (("typer",), "from interlock.cli import run; run()", "control"),
        (("httpx",), "from interlock.cli import run; run()", "control"),
        (("fastapi",), "from interlock.serving.__main__ import main; main()", "serving"),
        (("uvicorn",), "from interlock.serving.__main__ import main; main()", "serving"),
    ],
)
def test_a_command_without_its_extra_says_so_in_one_line(modules, code, extra):
    done = without(modules, code)

    assert done.returncode == 1
    assert f"{modules[0]} is not installed; the extra `{extra}` brings it" in done.stderr
    assert "Traceback" not in done.stderr


def test_flows_and_blocks_need_no_triton_client_until_a_triton_is_asked():
    code = (
        "import flows.deploy_to_triton, blocks.triton_server\n"
        "from interlock.adapters.engines import engines\n"
        "from interlock.records import EngineRef\n"
        "engines(None, lambda ref: 'key')(EngineRef(kind='triton', name='dev', urls=('http://a', 'grpc://a:1')))"
    )

    done = without(("tritonclient",), code)

    assert "NotInstalled: tritonclient is not installed; the extra `triton` brings it" in done.stderr.replace(
        "interlock.errors.", ""
    )


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql+psycopg://u:secret@h/d", "psycopg", "postgres"),
        ("mysql+pymysql://u:secret@h/d", "pymysql", "mysql"),
    ],
)
def test_a_database_whose_driver_is_missing_names_the_extra_and_not_the_password(url, module, extra):
    code = f"from interlock.adapters.database import connected\nwith connected({url!r}, 1): pass"

    done = without((module,), code)

    assert f"h/d: {module} is not installed; the extra `{extra}` brings it" in done.stderr
    assert "secret" not in done.stderr
