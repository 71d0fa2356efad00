"""docs/drift-teknik.md says what the program is: its commands, settings, files and log lines are there, and what can be
run on this machine is run.
"""

import hashlib
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from console.command import app
from engine.commands.app import main
from engine.home import Home, payload_key
from engine.links.certificates import CertificateFiles, TlsClient
from engine.settings import fields, variable
from engine.simulation.certificates import Authority
from tests.servers.postgresql import PostgresServer, missing

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/drift-teknik.md").read_text(encoding="utf-8")
DATABASE = "postgresql://sundhedsagent@db.example/sundhedsagent"
HOME = "/var/lib/sundhedsagent"


def chapter(heading: str) -> str:
    """What stands under that heading, down to the next of its own or a higher level."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n", TEXT, re.MULTILINE)
    assert found is not None, heading
    rest = TEXT[found.end() :]
    return re.split(rf"^#{{1,{len(found[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def shell_lines(text: str) -> list[str]:
    """The lines to paste into a shell."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join(blocks).replace("\\\n", " ").splitlines()


def commands(text: str) -> list[list[str]]:
    """Of them, those of Sundhedsagenten."""
    lines = [shlex.split(line, comments=True) for line in shell_lines(text)]
    return [line[1:] for line in lines if line[:1] == ["sundhedsagent"]]


# --- what is spoken of is there ---------------------------------------------------------------------------------------


def test_its_commands_can_be_given():
    """They are parsed, as the program would, and not carried out."""
    found = commands(TEXT)
    assert len(found) >= 12
    for line in found:
        command, words = typer.main.get_command(app.whole()), list(line)
        if "--home" in words:  # may stand anywhere
            at = words.index("--home")
            del words[at : at + 2]
        while hasattr(command, "commands") and (words or not command.invoke_without_command):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        command.make_context("sundhedsagent", words)


def test_its_settings_are_settings():
    keys = [key for key, _ in fields()]
    sections = {key.partition(".")[0] for key in keys if "." in key}
    spoken = {
        word for word in re.findall(r"`([a-z_]+\.[a-z_]+)`", TEXT) if word.partition(".")[0] in sections
    }
    assert len(spoken) >= 35
    assert sorted(spoken - set(keys)) == []
    variables = set(re.findall(r"\bSUNDHEDSAGENT_[A-Z_]+", TEXT))
    assert len(variables) >= 4
    assert sorted(variables - {variable(key) for key in keys}) == []


def test_its_files_are_there():
    named = set(re.findall(r"\bdeploy/[\w@./-]*\w", TEXT))
    assert len(named) >= 8
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []


def test_its_log_lines_are_written():
    rows = re.findall(r"^\| `([a-z-]+)` \|", chapter("Overvågning"), re.MULTILINE)
    assert len(rows) >= 4
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/engine").rglob("*.py"))
    assert [name for name in rows if f'"{name}"' not in source] == []


# --- what can be run is run -------------------------------------------------------------------------------------------


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Give commands of the document, each with these words put in place of others."""

    def give(lines: list[list[str]], **places: str) -> str:
        out = ""
        for line in lines:
            words = [places.get(word, word) for word in line]
            capfd.readouterr()
            status = main(words)
            said = capfd.readouterr()
            assert status == 0, (words, said.err)
            out += said.out
        return out

    return give


def test_two_engines_come_to_share_a_database(
    postgres: PostgresServer, tmp_path: Path, run: Callable[..., str]
):
    first, second, url = tmp_path / "1", tmp_path / "2", postgres.create()
    run(
        commands(chapter("Hjemmet"))[:1],
        **{HOME: str(first), DATABASE: url},
    )
    grants = commands(chapter("Hjemmet"))[1:]
    assert [line[:2] for line in grants] == [["role", "grant"]] * 2
    run([["--home", str(first), *line] for line in grants])
    key = "/etc/sundhedsagent/payload.key"
    run(
        commands(chapter("Flere motorer")),
        **{HOME: str(second), DATABASE: url, key: str(Home(first).key_file)},
    )
    assert payload_key(Home.open(first)) == payload_key(Home.open(second))
    assert "bo" in run([["--home", str(second), "role", "list"]])
    postgres.drop(url)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Callable[[str], str]:
    """The document's folders and addresses as they are in this test."""
    places = {
        f"{HOME}-genskabt": tmp_path / "genskabt",
        HOME: tmp_path / "home",
        "/var/backups/sundhedsagent": tmp_path / "kopier",
        "/etc/sundhedsagent/payload.key": tmp_path / "payload.key",
    }

    def put(line: str) -> str:
        for place, here in places.items():
            line = line.replace(place, str(here))
        return line

    return put


def test_what_is_backed_up_is_restored_and_looked_through(
    new_home: Home,
    database_kind: str,
    postgres: PostgresServer,
    tmp_path: Path,
    run: Callable[..., str],
    elsewhere: Callable[[str], str],
):
    """The lines of the rehearsal, in order, in a shell that has the program."""
    shutil.copy(new_home.key_file, tmp_path / "payload.key")
    text = chapter("Sikkerhedskopi")
    lines = [elsewhere(line) for line in shell_lines(text) if line.startswith(("sundhedsagent", "install"))]
    assert [line.split()[1] for line in lines if line.startswith("sundhedsagent")] == [
        "backup",
        "restore",
        "restore",
        "db",
        "status",
    ]
    spare = postgres.create() if database_kind == "postgresql" else ""
    program = f"{shlex.quote(sys.executable)} -m engine"
    script = [f'sundhedsagent() {{ {program} --home {shlex.quote(str(new_home.path))} "$@"; }}', *lines]
    joined = "\n".join(script).replace("-o sundhedsagent -g sundhedsagent ", "")
    given = f"--database {DATABASE.rpartition('/')[0]}/genskabt"
    assert given in joined
    out = shell(joined.replace(given, f"--database {spare}" if spare else ""), tmp_path)
    assert "Sikkerhedskopien er lavet" in out
    assert "er gendannet, som den var" in out
    assert "✗" not in out
    assert len(list((tmp_path / "kopier").glob("sundhedsagent-*Z"))) == 1
    assert payload_key(Home.open(tmp_path / "genskabt")) == payload_key(new_home)
    if spare:
        postgres.drop(spare)


def test_a_fingerprint_is_found_as_listen_clients_wants_it(tmp_path: Path):
    own = Authority(tmp_path).issue("vans-leverandør")
    (line,) = [line for line in shell_lines(chapter("VANS over HTTPS")) if line.startswith("openssl")]
    der = ssl.PEM_cert_to_DER_cert(own.certificate.read_text())
    assert shell(line, tmp_path).strip() == hashlib.sha256(der).hexdigest()


def test_a_certificate_is_unpacked_for_use(tmp_path: Path):
    authority = Authority(tmp_path / "authority")
    own = authority.issue("system")
    packed = pkcs12.serialize_key_and_certificates(
        b"system",
        serialization.load_pem_private_key(own.key.read_bytes(), None),
        x509.load_pem_x509_certificate(own.certificate.read_bytes()),
        None,
        serialization.BestAvailableEncryption(b"kode"),
    )
    (tmp_path / "system.p12").write_bytes(packed)
    lines = [line for line in shell_lines(chapter("Certifikater")) if line.startswith(("openssl", "chmod"))]
    assert len(lines) == 3
    for line in lines:
        command = line.replace("/etc/sundhedsagent", str(tmp_path))
        shell(command.replace("openssl pkcs12", "openssl pkcs12 -passin pass:kode"), tmp_path)
    key = tmp_path / "system.key"
    assert key.stat().st_mode & 0o777 == 0o600
    TlsClient(CertificateFiles(str(tmp_path / "system.pem"), str(key), str(authority.file))).context()


def shell(line: str, folder: Path) -> str:
    if "openssl" in line and shutil.which("openssl") is None:
        missing("openssl")
    done = subprocess.run(["sh", "-ec", line], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
