"""A taken port is told by name, with what to do."""

import os
import socket

import pytest

from blocks.settings import Settings
from stack.errors import StackError
from stack.parts import parts
from stack.ports import check_free


def test_a_taken_port_is_named_with_its_holder_and_the_way_out(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(home_folder=tmp_path, mlflow_port=taken.getsockname()[1])

        with pytest.raises(StackError, match=rf"of mlflow is taken by process {os.getpid()} .*INTERLOCK_MLFLOW_PORT"):
            check_free(settings, [part for part in parts(settings) if part.name == "mlflow"])
