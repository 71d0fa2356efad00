"""How a RabbitMQ is set up to be the Beskedfordeler's: vhost BF, TLS, and client certificates that log on by name.

(A plain RabbitMQ cannot check an assertion as SASL response, so EXTERNAL goes by the certificate; the Beskedfordeler in
software checks the token of each besked.)
"""

import json
from collections.abc import Mapping
from pathlib import Path

from engine.simulation.certificates import Issued

VHOST = "BF"
AGENT, RECEIVERS, ITSELF = "sundhedsagenten", "modtager", "beskedfordeler"
"""Its users: Sundhedsagenten, the modtagersystemer, and the Beskedfordeler in software."""
_USERS = (AGENT, RECEIVERS, ITSELF)


def write_configuration(
    folder: Path, *, authority: Path, own: Issued, port: int, tls_port: int, address: str = "127.0.0.1"
) -> None:
    """rabbitmq.conf, definitions.json and plugins. Passwords are the users' names: for machines of one's own only."""
    every = {"configure": ".*", "write": ".*", "read": ".*"}
    definitions = {
        "users": [{"name": name, "password": name, "tags": "administrator"} for name in _USERS],
        "vhosts": [{"name": VHOST}],
        "permissions": [{"user": name, "vhost": VHOST, **every} for name in _USERS],
    }
    (folder / "definitions.json").write_text(json.dumps(definitions), encoding="utf-8")
    (folder / "plugins").write_text("[rabbitmq_auth_mechanism_ssl].\n", encoding="utf-8")
    lines = {
        "listeners.tcp.1": f"{address}:{port}",
        "listeners.ssl.1": f"{address}:{tls_port}",
        "ssl_options.cacertfile": authority,
        "ssl_options.certfile": own.certificate,
        "ssl_options.keyfile": own.key,
        "ssl_options.verify": "verify_peer",
        "ssl_options.fail_if_no_peer_cert": "true",
        "ssl_cert_login_from": "common_name",
        "auth_mechanisms.1": "PLAIN",
        "auth_mechanisms.2": "EXTERNAL",
        "loopback_users": "none",
        "load_definitions": folder / "definitions.json",
    }
    (folder / "rabbitmq.conf").write_text(
        "".join(f"{key} = {value}\n" for key, value in lines.items()), encoding="utf-8"
    )


def environment(folder: Path) -> Mapping[str, str]:
    """With these variables RabbitMQ reads its configuration in the folder, and keeps all that it writes there."""
    return {
        "HOME": str(folder),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
    }
