"""The files of deploy/ fit the program and each other: every command in them exists, and what they name is there."""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
import typer
import yaml

from console.command import app
from engine.settings import fields, variable
from tests.servers.postgresql import missing

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service")) + sorted((DEPLOY / "systemd").glob("*.timer"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM = "/opt/sundhedsagent/bin/sundhedsagent"
STOPS_WITHIN_S = 10  # README: Running it headless
SETTINGS = {variable(key) for key, _ in fields()} | {"SUNDHEDSAGENT_HOME", "SUNDHEDSAGENT_PAYLOAD_KEY"}


def can_be_given(words: list[str]) -> None:
    """The command line is parsed as the program would, and not carried out."""
    command, rest = typer.main.get_command(app.whole()), list(words)
    if rest[:1] == ["--home"]:
        rest = rest[2:]
    while hasattr(command, "commands"):
        assert rest[0] in command.commands, words
        command = command.commands[rest.pop(0)]
    command.make_context("sundhedsagent", rest)


def section(unit: Path, name: str) -> dict[str, list[str]]:
    """Every key of a unit's section, with its values in order."""
    found: dict[str, list[str]] = {}
    here = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            here = line.strip("[]")
        elif here == name and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


# --- systemd ----------------------------------------------------------------------------------------------------------


def test_the_units_are_there():
    names = {unit.name for unit in UNITS}
    assert names == {
        "sundhedsagent.service",
        "sundhedsagent@.service",
        "sundhedsagent-backup.service",
        "sundhedsagent-backup.timer",
        "sundhedsagent-web.service",
    }


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit_without_a_word(unit: Path, tmp_path: Path):
    """With another program in it, for ours is not installed here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        missing("systemd")
    for each in UNITS:
        text = each.read_text(encoding="utf-8").replace(PROGRAM, sys.executable)
        (tmp_path / each.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / unit.name],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_each_command_of_a_unit_can_be_given(unit: Path):
    lines = [line for key in ("ExecStart", "ExecStartPre") for line in section(unit, "Service").get(key, [])]
    assert lines
    for line in lines:
        program, *words = shlex.split(line)
        if program == "/bin/sh":
            program, *words = shlex.split(words[-1].removeprefix("exec ").replace("$$", "$"))
        assert program == PROGRAM
        assert words[:1] == ["--home"]
        can_be_given([word for word in words if word != "$WEB_OPTIONS"])


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_each_variable_of_a_unit_is_a_setting(unit: Path):
    """The program refuses one that it does not know."""
    given = [name.partition("=")[0] for name in section(unit, "Service").get("Environment", [])]
    assert [name for name in given if name.startswith("SUNDHEDSAGENT_") and name not in SETTINGS] == []


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_each_unit_is_fenced_in(unit: Path):
    service = section(unit, "Service")
    for key, value in {
        "User": "sundhedsagent",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "UMask": "0077",
        "SystemCallFilter": "@system-service",
    }.items():
        assert service[key] == [value], key


@pytest.mark.parametrize("name", ["sundhedsagent.service", "sundhedsagent@.service"])
def test_an_engine_has_the_right_time_and_the_time_to_stop(name: str):
    unit = DEPLOY / "systemd" / name
    waits = section(unit, "Unit")["After"][0].split()
    assert {"network-online.target", "time-sync.target"} <= set(waits)
    assert int(section(unit, "Service")["TimeoutStopSec"][0]) > STOPS_WITHIN_S
    assert section(unit, "Service")["Restart"] == ["always"]


def test_several_engines_differ_from_one_by_their_homes_alone():
    one, several = (DEPLOY / "systemd" / name for name in ("sundhedsagent.service", "sundhedsagent@.service"))
    for name in ("Unit", "Service", "Install"):
        alike = {
            key: [value.replace("-%i", "").replace(", motor %i", "") for value in values]
            for key, values in section(several, name).items()
        }
        if name == "Service":
            assert alike["EnvironmentFile"].pop() == "-/etc/sundhedsagent/%i.env"
        assert alike == section(one, name)


def test_the_backup_is_taken_every_night_and_looked_through():
    backup = DEPLOY / "systemd" / "sundhedsagent-backup.service"
    assert section(backup, "Service")["Type"] == ["oneshot"]
    timer = section(DEPLOY / "systemd" / "sundhedsagent-backup.timer", "Timer")
    assert timer["OnCalendar"]
    assert timer["Persistent"] == ["true"]


# --- the console by ssh -----------------------------------------------------------------------------------------------


def test_ssh_gives_just_the_command_that_sudo_lets_run():
    sshd = (DEPLOY / "ssh" / "sshd_config").read_text(encoding="utf-8")
    sudoers = (DEPLOY / "ssh" / "sudoers").read_text(encoding="utf-8")
    forced = re.search(r"^ +ForceCommand sudo -n -H -u sundhedsagent (.+)$", sshd, re.MULTILINE)
    allowed = re.search(r"^Cmnd_Alias SUNDHEDSAGENT_KONSOL = (.+)$", sudoers, re.MULTILINE)
    assert forced is not None
    assert allowed is not None
    assert forced[1] == allowed[1]
    program, *words = shlex.split(forced[1])
    assert program == PROGRAM
    can_be_given(words)
    group = re.search(r"^Match Group (\S+)$", sshd, re.MULTILINE)
    assert group is not None
    assert f"\n%{group[1]} ALL = (sundhedsagent) NOPASSWD: SUNDHEDSAGENT_KONSOL\n" in sudoers
    assert f"\ng {group[1]} -" in (DEPLOY / "systemd" / "sundhedsagent.sysusers.conf").read_text(
        encoding="utf-8"
    )


def test_sudo_takes_its_rules():
    visudo = shutil.which("visudo") or shutil.which("visudo", path="/usr/sbin")
    if visudo is None:
        missing("sudo")
    done = subprocess.run(
        [visudo, "--check", "--file", DEPLOY / "ssh" / "sudoers"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --- the image --------------------------------------------------------------------------------------------------------

INSTRUCTIONS = {
    "FROM",
    "WORKDIR",
    "COPY",
    "RUN",
    "ENV",
    "USER",
    "VOLUME",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def test_the_image_is_made_by_instructions_that_there_are():
    assert {word for word, _ in instructions()} == INSTRUCTIONS
    assert [rest.split()[0] for word, rest in instructions() if word == "FROM"] == ["python:3.11-slim"] * 2


def test_what_is_copied_is_there_and_reaches_the_build():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    }
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    (between,) = [rest for word, rest in stages()[1] if word == "COPY"]
    made, stage = between.split()[1], between.split()[0].removeprefix("--from=")
    assert stages()[0][0][1].endswith(f" AS {stage}")
    assert any(f"venv {made}" in rest for word, rest in stages()[0] if word == "RUN")


def test_all_that_is_installed_was_fetched_by_hash():
    runs = " ".join(rest for word, rest in instructions() if word == "RUN")
    assert "pip download --no-cache-dir --require-hashes --requirement requirements.lock" in runs
    assert runs.count("pip install") == runs.count("pip install --no-index --find-links /wheels") == 2
    assert "http" not in runs


def test_nobody_is_root_in_the_image():
    last = stages()[1]
    user = [rest for word, rest in last if word == "USER"]
    assert user == ["10001:10001"]
    assert last.index(("USER", user[0])) < [word for word, _ in last].index("ENTRYPOINT")


def environment() -> dict[str, str]:
    (given,) = [rest for word, rest in stages()[1] if word == "ENV"]
    return dict(word.split("=", 1) for word in given.split())


def test_the_image_runs_the_engine_with_settings_that_there_are():
    words = [json.loads(rest) for word, rest in stages()[1] if word in {"ENTRYPOINT", "CMD"}]
    assert words[0] == ["sundhedsagent"]
    can_be_given(words[1])
    assert {name for name in environment() if name.startswith("SUNDHEDSAGENT_")} <= SETTINGS


class _Health(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        assert self.path == "/healthz"
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def health() -> Iterator[tuple[type[_Health], int]]:
    class Answer(_Health):
        pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield Answer, server.server_port
        server.shutdown()
        thread.join()


def test_the_health_check_is_the_engines_own(health: tuple[type[_Health], int]):
    answer, port = health
    (check,) = [rest for word, rest in stages()[1] if word == "HEALTHCHECK"]
    command = json.loads(check.partition(" CMD ")[2])
    theirs = environment()["SUNDHEDSAGENT_MONITOR__PORT"]
    assert f"127.0.0.1:{theirs}/healthz" in command[2]
    here = [sys.executable, "-c", command[2].replace(f":{theirs}/", f":{port}/")]
    for status, is_well in ((200, True), (503, False)):
        answer.status = status
        assert (subprocess.run(here, capture_output=True, check=False).returncode == 0) is is_well


# --- compose ----------------------------------------------------------------------------------------------------------

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))


def compose_commands() -> list[tuple[str, list[str]]]:
    """Every `sundhedsagent …` in the services' scripts, with the variables that it is given."""
    found: list[tuple[str, list[str]]] = []
    for name, service in COMPOSE["services"].items():
        for script in service.get("command", []):
            text = script
            for variable_, value in service.get("environment", {}).items():
                text = text.replace(f"$${variable_}", value)
            lines = re.findall(r"(?:^|exec |\|\| )sundhedsagent (.+)$", text, re.MULTILINE)
            found += [(name, shlex.split(line)) for line in lines]
    return found


def test_compose_runs_commands_that_there_are():
    found = compose_commands()
    assert [(name, [word for word in words if not word.startswith("-")][:3]) for name, words in found] == [
        (
            "forbered",
            ["init", "motor-1", "postgresql://sundhedsagent:kun-til-proever@postgres/sundhedsagent"],
        ),
        (
            "forbered",
            ["init", "motor-2", "postgresql://sundhedsagent:kun-til-proever@postgres/sundhedsagent"],
        ),
        ("forbered", ["motor-1", "simulate-beskedfordeler", "omverden"]),
        ("omverden", ["motor-1", "simulate-beskedfordeler", "omverden"]),
        ("motor-1", ["/var/lib/sundhedsagent/motor-1", "run"]),
        ("motor-2", ["/var/lib/sundhedsagent/motor-2", "run"]),
    ]
    for _, words in found:
        can_be_given(words)


def test_compose_names_what_there_is():
    services = COMPOSE["services"]
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            assert other in services, name
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other], other
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in COMPOSE["volumes"], name
        given = service.get("environment", {})
        assert [key for key in given if key.startswith("SUNDHEDSAGENT_") and key not in SETTINGS] == []
        build = service.get("build")
        if build:
            context = (DEPLOY / build["context"]).resolve()
            assert context == ROOT
            assert (context / build["dockerfile"]).is_file()


def test_the_machines_in_compose_are_its_services():
    words = COMPOSE["services"]["omverden"]["environment"]["OMVERDEN"].split()
    named = [value for option, value in itertools.pairwise(words) if option == "--host"]
    reached = [urlsplit(word).hostname for word in words if "://" in word]
    assert set(named) >= {host for host in reached if host}
    database = urlsplit(COMPOSE["services"]["forbered"]["environment"]["DATABASE"])
    own = COMPOSE["services"]["postgres"]["environment"]
    assert {*named, database.hostname} <= set(COMPOSE["services"])
    assert (database.username, database.password) == (own["POSTGRES_USER"], own["POSTGRES_PASSWORD"])
    assert database.path == f"/{own['POSTGRES_DB']}"


def test_rabbitmq_reads_what_was_prepared_for_it_as_the_same_user():
    rabbitmq = COMPOSE["services"]["rabbitmq"]
    assert rabbitmq["user"] == next(rest for word, rest in instructions() if word == "USER")
    folder = "/var/lib/sundhedsagent/omverden"
    assert rabbitmq["environment"] == {
        "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
    }


def test_docker_reads_the_compose_file():
    docker = shutil.which("docker")
    has_compose = (
        docker
        and not subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    )
    if not docker or not has_compose:
        pytest.skip(
            "install Docker's compose plugin (docker-compose-v2 or docker-compose-plugin) to run this test"
        )
    done = subprocess.run(
        [docker, "compose", "--file", DEPLOY / "compose.yml", "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_file_names_a_machine_or_a_registry():
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]
    assert len(files) >= 10
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"https?://[a-z0-9.]*py(thonhosted|pi)|(?<![\w.])/(work|root|home)/", text), file
        assert not re.search(r"^ *(image:|FROM) [^\s]*\.[a-z]+/", text, re.MULTILINE), file
