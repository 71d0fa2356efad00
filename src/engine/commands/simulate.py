"""`simulate`: hospitals and receivers in software, against a home whose engine runs beside it."""

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.common import home_of, office_of
from engine.commands.danish import Commands
from engine.commands.output import number, say
from engine.errors import RuleError

if TYPE_CHECKING:
    from engine.home import Home
    from engine.settings import Settings
    from engine.simulation import SimKommune


def simulate(
    ctx: typer.Context,
    *,
    seconds: Annotated[
        float, typer.Option(metavar="TAL", min=1, help="Så længe sendes der, i sekunder.")
    ] = 30.0,
    rate: Annotated[float, typer.Option(metavar="TAL", min=0.001, help="Adviser i sekundet.")] = 5.0,
    speed: Annotated[
        float, typer.Option(metavar="TAL", min=0.1, help="Så mange gange hurtigere går de simulerede timer.")
    ] = 60.0,
    seed: Annotated[
        int | None, typer.Option(metavar="TAL", help="Samme tal giver samme forløb; ellers trækkes et.")
    ] = None,
    habits: Annotated[
        str, typer.Option(metavar="NAVN", help="Modtagernes vaner: flawless, ordinary, demo eller troubled.")
    ] = "ordinary",
    kommuner: Annotated[
        int,
        typer.Option(metavar="ANTAL", min=1, max=98, help="Så mange tilsluttes, hvis ingen er det endnu."),
    ] = 5,
) -> None:
    from engine import simulation

    if habits not in simulation.PRESETS:
        raise typer.BadParameter(f"skal være en af {', '.join(simulation.PRESETS)}.", param_hint="--habits")
    home = home_of(ctx)
    settings = settings_to_simulate(home)
    if settings.beskedfordeler.via == "amqp" or settings.takes_vans or settings.vans.send_by == "https":
        raise RuleError(
            "simulate bruger hjemmets mapper, men indstillingerne siger AMQP eller HTTPS. "
            "Brug: sundhedsagent simulate-beskedfordeler --help"
        )
    drawn = secrets.randbelow(1_000_000) if seed is None else seed
    roster = roster_of(ctx, drawn, kommuner)
    say(f"Frø: {drawn}")
    totals, missing = simulation.simulate(
        home,
        roster,
        seed=drawn,
        seconds=seconds,
        rate=rate,
        speed=speed,
        beskedtype_kvittering=settings.beskedtype_medcomkvittering,
        habits=simulation.PRESETS[habits],
    )
    say(
        f"Sendt af sygehusene: {number(totals.sent)} adviser til {len(roster)} kommuner.",
        f"Bekræftet af VANS: {number(totals.receipts)}. Nået frem: {number(totals.published)}. "
        f"Besvaret: {number(totals.answered)}.",
        f"Mangler endnu: {number(len(missing))}.",
    )


def settings_to_simulate(home: "Home") -> "Settings":
    """The home's settings; RuleError in production: the simulation takes answers, as the real ones would."""
    from engine.settings import Settings

    settings = Settings.load(home)
    if settings.environment == "production":
        raise RuleError("En hjemmemappe i produktion kan ikke simuleres: rigtige svar ville gå tabt.")
    return settings


def roster_of(ctx: typer.Context, seed: int, count: int) -> "tuple[SimKommune, ...]":
    """Those who are connected; where nobody is, some kommuner are drawn and connected."""
    from engine.simulation import demo_roster
    from engine.simulation.registered import connect_roster, registered_roster

    with office_of(ctx) as office:
        with office.reading() as conn:
            roster = registered_roster(conn)
        if not roster:
            roster = demo_roster(count, seed)
            with office.administering() as act:
                connect_roster(act, roster)
    return roster


def add_to(app: Commands) -> None:
    app.says("simulate", "Lad simulerede sygehuse og modtagere bruge hjemmemappen.")(simulate)
