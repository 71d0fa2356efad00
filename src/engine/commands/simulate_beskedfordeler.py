"""`simulate-beskedfordeler`: the outside on a real RabbitMQ, for a developer's laptop."""

import asyncio
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from engine.commands.common import home_of, office_of
from engine.commands.danish import Commands
from engine.commands.output import number, say
from engine.commands.simulate import roster_of, settings_to_simulate

if TYPE_CHECKING:
    from engine.home import Home
    from engine.simulation.ledger import Missing, Totals
    from engine.simulation.place import Place
    from engine.simulation.surroundings import Surroundings, Traffic

_HELP = """\
Beskedfordeleren i software, på en rigtig RabbitMQ: STS, serviceaftaler efter hjemmets register, modtagersystemer, der
kvitterer, og på ønske sygehuse.

Certifikaterne laves i MAPPE, hvor også RabbitMQ's opsætning og motorens indstillinger (engine.env) lægges. Start
RabbitMQ med sh MAPPE/start-rabbitmq, og motoren i en skal, der har læst engine.env.

Med signaler får man den til at svigte, og med det samme signal igen til at holde op: USR1 afviser alt (StatusKode 40),
USR2 svarer ikke, ALRM bryder forbindelserne."""


def simulate_beskedfordeler(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="MAPPE", help="Til certifikater og opsætning.")],
    *,
    broker: Annotated[
        str, typer.Option(metavar="ADRESSE", help="RabbitMQ, som Beskedfordeleren selv logger på.")
    ] = "amqp://beskedfordeler:beskedfordeler@127.0.0.1:5672/BF",
    broker_tls: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="RabbitMQ's port til TLS.")
    ] = 5673,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="Porten til AMQP, som motoren bruger.")
    ] = 5671,
    https_port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="Porten til STS og VANS.")
    ] = 8443,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAVN", help="Navn i certifikaterne; motorer kommer til det første. Kan gentages."
        ),
    ] = None,
    address: Annotated[str, typer.Option(metavar="ADRESSE", help="Adressen, der lyttes på.")] = "127.0.0.1",
    vans: Annotated[
        list[str] | None,
        typer.Option(metavar="ADRESSE", help="En motors https://…/vans. Uden: mapperne. Kan gentages."),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(metavar="TAL", min=0, max=100, help="Adviser i sekundet fra sygehusene; 0: ingen."),
    ] = 0.0,
    habits: Annotated[
        str, typer.Option(metavar="NAVN", help="Modtagernes vaner: flawless, ordinary, demo eller troubled.")
    ] = "ordinary",
    kommuner: Annotated[
        int,
        typer.Option(metavar="ANTAL", min=1, max=98, help="Så mange tilsluttes, hvis ingen er det endnu."),
    ] = 5,
    prepare: Annotated[bool, typer.Option("--prepare", help="Lav kun mappens filer.")] = False,
) -> None:
    from engine import simulation
    from engine.logs import silence_logs
    from engine.simulation.place import Place
    from engine.simulation.place import prepare as make_files
    from engine.simulation.surroundings import Surroundings, Traffic, registered_aftaler

    if habits not in simulation.PRESETS:
        raise typer.BadParameter(f"skal være en af {', '.join(simulation.PRESETS)}.", param_hint="--habits")
    if any(urlsplit(url).scheme != "https" for url in vans or ()):
        raise typer.BadParameter("skal være som https://127.0.0.1:9443/vans.", param_hint="--vans")
    home = home_of(ctx)
    settings = settings_to_simulate(home)
    seed = secrets.randbelow(1_000_000)
    roster = roster_of(ctx, seed, kommuner)
    place = Place(
        folder=folder.absolute(),
        broker=broker,
        broker_tls_port=broker_tls,
        hosts=tuple(host or ()),
        address=address,
        amqp_port=port,
        https_port=https_port,
        engines=tuple(vans or ()),
    )
    with office_of(ctx) as office, office.reading() as conn:
        aftaler = registered_aftaler(conn, settings)
    are_new = make_files(place, settings, settings.beskedfordeler.cvr or aftaler[0].kommune_cvr)
    _explain(place, are_new=are_new)
    if not prepare:
        silence_logs()  # each receiver's link would tell of the same trouble
        traffic = Traffic(roster=roster, rate=rate, habits=simulation.PRESETS[habits], seed=seed)
        totals, missing = asyncio.run(
            _until_stopped(Surroundings(place, settings, aftaler, _tell), home, traffic)
        )
        _sum_up(totals, missing)


def _explain(place: "Place", *, are_new: bool) -> None:
    if are_new:
        say(f"Der er lavet nye certifikater i {place.folder}. Kører RabbitMQ eller motoren, så genstart dem.")
    say(
        f"RabbitMQ startes med: sh {place.start_file}",
        f"Motorens indstillinger står i {place.engine_file}:",
        *(f"  {line}" for line in place.engine_file.read_text(encoding="utf-8").splitlines()),
    )


async def _until_stopped(
    surroundings: "Surroundings", home: "Home", traffic: "Traffic"
) -> "tuple[Totals, tuple[Missing, ...]]":
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number_, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, surroundings.refuse_or_not)
    loop.add_signal_handler(signal.SIGUSR2, surroundings.stall_or_not)
    loop.add_signal_handler(signal.SIGALRM, surroundings.cut_or_mend)
    return await surroundings.run(home, traffic, stop)


def _tell(text: str) -> None:
    print(text, flush=True)


def _sum_up(totals: "Totals", missing: "tuple[Missing, ...]") -> None:
    confirmed = totals.sent + totals.copies - totals.awaiting_receipt
    say(
        f"Sendt af sygehusene: {number(totals.sent)} adviser. Bekræftet af VANS: {number(confirmed)}.",
        f"Hentet af modtagerne: {number(totals.deliveries)}. Besvaret: {number(totals.answered)}.",
        f"Mangler endnu: {number(len(missing))}.",
    )


def add_to(app: Commands) -> None:
    app.says("simulate-beskedfordeler", _HELP)(simulate_beskedfordeler)
