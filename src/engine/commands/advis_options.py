"""The options by which adviser are chosen, as several commands take them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.commands.common import choice, instant

if TYPE_CHECKING:
    from engine.desk.look_up import AdvisFilter

Kommune = Annotated[str | None, typer.Option(metavar="KODE", help="Kommunekode eller navn.")]
Code = Annotated[str | None, typer.Option(metavar="KODE", help="Adviskode, fx STIN eller AN_SLHJ.")]
State = Annotated[
    str | None,
    typer.Option(metavar="TILSTAND", help="refused, received, published, acknowledged eller answered."),
]
MessageId = Annotated[str | None, typer.Option(metavar="ID", help="MessageHeader.id.")]
BeskedId = Annotated[str | None, typer.Option(metavar="UUID", help="BeskedId.")]
BundleId = Annotated[str | None, typer.Option(metavar="ID", help="Bundle.id, også en kopis.")]
Envelope = Annotated[str | None, typer.Option(metavar="ID", help="En VANS-konvoluts id, ind eller ud.")]
Hospital = Annotated[
    str | None, typer.Option(metavar="TEKST", help="Sygehusets GLN, SOR eller en del af navnet.")
]
Receiver = Annotated[str | None, typer.Option(metavar="TEKST", help="Modtagersystemets UUID eller navn.")]
Since = Annotated[str | None, typer.Option(metavar="TID", help="Modtaget fra og med, dansk tid.")]
Until = Annotated[str | None, typer.Option(metavar="TID", help="Modtaget før, dansk tid.")]
Limit = Annotated[int, typer.Option(metavar="ANTAL", min=1, max=1_000_000, help="Vis højst så mange.")]


def filter_of(options: dict[str, Any]) -> "AdvisFilter":
    """The filter among a command's own parameters; which kommuner it is about is for the caller to say."""
    from engine.desk.look_up import AdvisFilter, AdvisState
    from engine.domain.advis import AdvisCode

    return AdvisFilter(
        code=choice(AdvisCode, options.get("code"), "--code"),
        state=choice(AdvisState, options.get("state"), "--state"),
        message_id=options.get("message_id"),
        besked_id=options.get("besked_id"),
        bundle_id=options.get("bundle_id"),
        envelope_id=options.get("envelope"),
        hospital=options.get("hospital"),
        receiver=options.get("receiver"),
        since=instant(options.get("since"), "--since"),
        until=instant(options.get("until"), "--until"),
        limit=options.get("limit", 100),
    )
