"""
Start the tritonserver of the nvidia-pytriton wheel, for development on loopback.

    python -m interlock.stack.triton.server

    wheel found -> paths safe -> stub starts -> what killed servers left is swept
        -> config.pbtxt rendered from the decision -> becomes tritonserver

Triton restarts from config.pbtxt, so that is rendered from current.json first: a restart at any moment serves what is
decided or nothing. In production an init container does the same before NVIDIA's image starts.
"""

import ctypes
import importlib.util
import logging
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from interlock.adapters.triton.addresses import GRPC_KEY_HEADER, KEY_HEADER
from interlock.errors import DeliveryError
from interlock.extras import extra
from interlock.records import TRITON
from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.triton.left import sweep
from interlock.store import Store
from interlock.store.folders import EngineFolder, engine_folders, folder_of

log = logging.getLogger(__name__)
STAND_IN = Path(__file__).with_name("onnxruntime_backend.py")
RESTRICTED = ("model-repository", "model-config", "shared-memory", "trace", "logging")
PROBE_S = 20
STUB_WANTS_ARGUMENTS = 1
DIE_WITH_PARENT = 1
"""prctl's PR_SET_PDEATHSIG; it outlives exec."""


def wheel() -> Path:
    """
    Return the folder of the server inside the wheel, which is never imported.

    Raises:
        StackError: The wheel is not installed.
    """
    found = importlib.util.find_spec("pytriton")
    if found is None or found.origin is None:
        msg = (
            f"no tritonserver on this {platform.system()} {' '.join(platform.libc_ver())}: the wheel nvidia-pytriton "
            "needs Linux with glibc 2.35 or newer, and `make .venv/triton` installs it; everything else works"
        )
        raise StackError(msg)
    return Path(found.origin).parent / "tritonserver"


def make_backends(home: Path) -> Path:
    """Put the python backend with this Python's stub, and our stand-in for `onnxruntime`, into a folder."""
    server, root = wheel(), home / "triton" / "backends"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    library = root / "python" / "libtriton_python.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    if not library.exists():
        shutil.copyfile(server / "backends/python/libtriton_python.so", library)  # tritonserver refuses a link here
    links = {
        "python/triton_python_backend_utils.py": server / "backends/python/triton_python_backend_utils.py",
        "python/triton_python_backend_stub": server / f"python_backend_stubs/{python}/triton_python_backend_stub",
        "onnxruntime/model.py": STAND_IN,
    }
    for name, source in links.items():
        link = root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(source.resolve(strict=True))
    return root


def environment() -> dict[str, str]:
    """Return the environment in which the stub finds this Python and its library."""
    libraries = [os.path.join(sys.base_prefix, "lib"), str(sysconfig.get_config_var("LIBDIR") or "")]  # noqa: PTH118
    path = [*dict.fromkeys(filter(None, libraries)), os.environ.get("LD_LIBRARY_PATH", "")]
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LD_LIBRARY_PATH": os.pathsep.join(path).rstrip(os.pathsep),
    }


def check(settings: Settings) -> Path:
    """
    Return the backends' folder, when a server can work here.

    Raises:
        StackError: There is no wheel, a path holds a space, or the stub does not start (a load would hang for ever).
    """
    wheel()
    for path in (settings.home, settings.repository_root):
        if " " in str(path):
            msg = f"Triton starts its stub through a shell that breaks on spaces: move {path}"
            raise StackError(msg)
    root = make_backends(settings.home)
    stub = root / "python" / "triton_python_backend_stub"
    probe = subprocess.run([stub], env=environment(), capture_output=True, text=True, timeout=PROBE_S, check=False)
    if probe.returncode != STUB_WANTS_ARGUMENTS:
        python = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
        msg = f"Triton's python stub does not start: {probe.stderr.strip()}; on Debian: apt-get install {python}"
        raise StackError(msg)
    return root


@cache
def why_not(settings: Settings) -> str:
    """Return why there can be no Triton here; empty if there can."""
    try:
        check(settings)
    except (StackError, OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return ""


def render(store: Store, engine: str) -> list[str]:
    """Render config.pbtxt of every folder that follows a decision, from the decision; return the folders' names."""
    return [name for model in store.models() for name in _render(store, model, engine)]


def _render(store: Store, model: str, engine: str) -> Iterator[str]:
    with extra("triton"):
        from interlock.adapters.triton.config import as_text, model_config  # the client's messages, an extra
    try:
        current = store.current(model)
    except DeliveryError as error:
        log.error("%s is not served: %s", model, error)
        return
    enrolled = {
        folder_of(current, alias, engine): variant
        for alias, variant in current.variants.items()
        if variant.follows(TRITON, engine)
    }
    for folder in engine_folders(store.paths(model)):
        if folder.name not in enrolled:
            folder.remove_config()
    for name, variant in enrolled.items():
        folder = EngineFolder(store.paths(model), name)
        folder.link(variant.active_version)
        manifest = store.manifest(model, variant.active_version)
        folder.write_config(as_text(model_config(name, manifest, [variant.active_version])))
        yield name
    if store.current(model).epoch != current.epoch:
        yield from _render(store, model, engine)


def command(settings: Settings, backends: Path, models: list[str]) -> list[str]:
    """Return the command line: explicit loads only, loopback only, control only with the key."""
    key, apis = settings.triton_key().get_secret_value(), ",".join(RESTRICTED)
    http, grpc = settings.host, settings.host
    if ":" in settings.host:  # Triton takes IPv6 addresses in these forms only
        http, grpc = f"ipv6:{settings.host}", f"[{settings.host}]"
    return [
        str(wheel() / "bin" / "tritonserver"),
        f"--model-repository={settings.repository_root / 'models'}",
        f"--backend-directory={backends}",
        "--model-control-mode=explicit",
        *(f"--load-model={model}" for model in dict.fromkeys(models)),
        "--strict-readiness=false",
        "--exit-on-error=false",
        "--disable-auto-complete-config",
        "--exit-timeout-secs=5",
        f"--http-address={http}",
        f"--http-port={settings.port('triton')}",
        f"--grpc-address={grpc}",
        f"--grpc-port={settings.port('triton_grpc')}",
        f"--metrics-address={http}",
        f"--metrics-port={settings.port('triton_metrics')}",
        "--metrics-config=summary_latencies=true",
        "--metrics-config=summary_quantiles=0.5:0.05,0.95:0.005,0.99:0.001",
        f"--http-restricted-api={apis}:{KEY_HEADER}={key}",
        f"--grpc-restricted-protocol={apis}:{GRPC_KEY_HEADER.removeprefix('triton-grpc-protocol-')}={key}",
    ]


def main() -> None:
    """Become the tritonserver, or say why not."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings()
    try:
        backends = check(settings)
    except StackError as error:
        sys.exit(f"triton: {error}")
    if left := sweep():
        log.info("removed %d things that a killed tritonserver left", len(left))
    (settings.repository_root / "models").mkdir(parents=True, exist_ok=True)
    models = render(Store(settings.repository_root), settings.environment)
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    line = command(settings, backends, models)
    os.execve(line[0], line, environment())  # noqa: S606 - the wheel's own binary


if __name__ == "__main__":
    main()
