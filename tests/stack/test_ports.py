"""A taken port is told by name, with what to do."""

import os
import socket

import pytest

from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.ports import check_free
from interlock.stack.processes import processes


def test_a_taken_port_is_named_with_its_holder_and_the_way_out(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(home_folder=tmp_path, mlflow_port=taken.getsockname()[1])

        with pytest.raises(StackError, match=rf"of mlflow is taken by process {os.getpid()} .*INTERLOCK_MLFLOW_PORT"):
            check_free(settings, mlflow(settings))


def test_a_taken_port_of_an_ipv6_host_is_seen_too(tmp_path):
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        taken.listen()
        settings = Settings(home_folder=tmp_path, host="::1", mlflow_port=taken.getsockname()[1])

        with pytest.raises(StackError, match=rf"of mlflow is taken by process {os.getpid()}"):
            check_free(settings, mlflow(settings))


def test_a_free_port_of_an_ipv6_host_is_free(tmp_path, free_port):
    settings = Settings(home_folder=tmp_path, host="::1", mlflow_port=free_port)

    check_free(settings, mlflow(settings))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "nowhere.invalid", "1.2.3"])
def test_a_host_that_is_no_address_of_this_machine_is_not_told_as_a_taken_port(host, tmp_path):
    settings = Settings(home_folder=tmp_path, host=host)

    with pytest.raises(StackError, match=f"INTERLOCK_HOST={host} is no address that this machine can listen on"):
        check_free(settings, mlflow(settings))


def mlflow(settings):
    return [part for part in processes(settings) if part.name == "mlflow"]
