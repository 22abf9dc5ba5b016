"""What supervisor reads of the configuration that is rendered for it."""

import shlex
from pathlib import Path

import pytest
from supervisor.options import ClientOptions, ServerOptions

from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.processes import processes
from interlock.stack.supervisor import Supervisor


@pytest.fixture
def render(home):
    """Render the configuration of a stack in the folder *name*; return its settings."""

    def render(name: str) -> Settings:
        settings = Settings(home_folder=home / name)
        supervisor = Supervisor(settings)
        supervisor.logs.mkdir(parents=True)
        supervisor._configure()
        return settings

    return render


def read(options, path: Path):
    options.realize(["-c", str(path)], doc="")
    return options


@pytest.mark.parametrize("name", ["100%", "%(x)s", "50%%off", "a b", "é", "a;b#c", "it's", "a,b=c", "$HOME", "%d{x}"])
def test_supervisor_reads_every_path_and_word_as_it_is(name, render):
    """Its configuration expands `%`, cuts comments off, and splits lists: a folder may have any such name."""
    settings = render(name)

    server = read(ServerOptions(), settings.supervisor_config)
    assert server.configroot.supervisord.logfile == f"{settings.home}/logs/supervisord.log"
    (listener,) = server.configroot.supervisord.server_configs
    assert listener["file"] == str(settings.home / "supervisor.sock")
    programs = {group.name: group.process_configs[0] for group in server.process_group_configs}
    for part in processes(settings):
        program = programs[part.name]
        assert shlex.split(program.command) == part.guarded
        assert part.environment.items() <= program.environment.items()
        assert program.stdout_logfile == f"{settings.home}/logs/{part.name}.log"
    client = read(ClientOptions(), settings.supervisor_config)
    assert client.serverurl == f"unix://{settings.home}/supervisor.sock"


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a #b", "a ;b", "a\nb", "%(here)s"])
def test_a_folder_that_its_configuration_cannot_hold_is_refused_by_name(name, render):
    with pytest.raises(StackError, match="supervisor's configuration cannot hold .*INTERLOCK_HOME_FOLDER"):
        render(name)


@pytest.mark.parametrize("name", ["a?b", "a%20b"])
def test_a_folder_that_no_database_url_can_name_is_refused(name, render):
    """Its databases would be in another folder."""
    with pytest.raises(StackError, match="no database's URL can name"):
        render(name)
