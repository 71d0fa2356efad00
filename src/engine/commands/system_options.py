"""The options that describe a system, as several commands take them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from engine.desk.facts import GivenFacts

MOST = 999_999_999_999  # no row has a higher number, and every database takes it

Kommune = Annotated[str, typer.Argument(metavar="KODE", help="Kommunekoden, navnet eller CVR-nummeret.")]
System = Annotated[str, typer.Argument(metavar="SYSTEM", help="Systemets UUID eller navn.")]
Version = Annotated[
    int | None,
    typer.Option("--version", metavar="N", help="Ændr kun, hvis det stadig er den version, du så."),
]
Checklist = Annotated[
    int | None,
    typer.Option(
        "--procedure",
        metavar="NR",
        min=1,
        max=MOST,
        help="Fortsæt denne tjekliste i stedet for at begynde en ny.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Spørg ikke først.")]

Name = Annotated[str | None, typer.Option("--name", metavar="NAVN", help="Systemets navn i ADM.")]
Uuid = Annotated[str | None, typer.Option("--uuid", metavar="UUID", help="Systemets UUID i ADM.")]
Vendor = Annotated[str | None, typer.Option("--vendor", metavar="NAVN", help="Leverandørens navn i ADM.")]
VendorEmail = Annotated[
    str | None, typer.Option("--vendor-email", metavar="E-MAIL", help="Leverandørens system-e-mail i ADM.")
]
Area = Annotated[
    str | None, typer.Option("--area", metavar="TEKST", help="Forvaltningsområdet, som systemet betjener.")
]
AgreedBy = Annotated[
    str | None,
    typer.Option("--agreed-by", metavar="NAVN", help="Hvem der har aftalt det for forvaltningsområdet."),
]
OnlyKvittering = Annotated[
    bool,
    typer.Option(
        "--only-kvittering",
        help="Bekræft: systemet afsender i ADM ingen andre beskedtyper end MedComKvittering 1.0.",
    ),
]
Agreement = Annotated[
    str | None,
    typer.Option(
        "--agreement", metavar="TILSTAND", help="Serviceaftalen: kladde, anmodet, godkendt, afvist, ophørt."
    ),
]
AgreementOn = Annotated[
    str | None, typer.Option("--agreement-on", metavar="DATO", help="Hvornår den kom dertil; ellers i dag.")
]
Certification = Annotated[
    str | None,
    typer.Option("--certification", metavar="TILSTAND", help="Hos MedCom: ukendt, anmodet, certificeret."),
]
CertifiedOn = Annotated[
    str | None, typer.Option("--certified-on", metavar="DATO", help="Certificeringens dato.")
]
ConnectedOn = Annotated[
    str | None,
    typer.Option("--connected-on", metavar="DATO", help="Tilslutningsdatoen; ellers dagen for tilføjelsen."),
]
MonitoredFrom = Annotated[
    str | None,
    typer.Option(
        "--monitored-from", metavar="TID", help="Overvåg først herfra (dansk tid); ellers fra første dag."
    ),
]
Overview = Annotated[
    bool | None,
    typer.Option("--overview/--no-overview", help="Om leverandøren er tilmeldt Kvitteringsoverblik."),
]
OverviewEmails = Annotated[
    str | None,
    typer.Option("--overview-emails", metavar="E-MAIL,…", help="Flere adresser i Kvitteringsoverblik."),
]
LocalContact = Annotated[
    str | None,
    typer.Option("--local-contact", metavar="TEKST", help="Lokal kontakt i kommunen, fx systemejeren."),
]
VendorContact = Annotated[
    str | None, typer.Option("--vendor-contact", metavar="TEKST", help="Kontakt hos leverandøren.")
]
Comment = Annotated[str | None, typer.Option("--comment", metavar="TEKST", help="Kommentar.")]

OldName = Annotated[
    str, typer.Option("--old-name", metavar="NAVN", help="Det nuværende primære systems navn i ADM.")
]
OldUuid = Annotated[
    str, typer.Option("--old-uuid", metavar="UUID", help="Det nuværende primære systems UUID i ADM.")
]
NewName = Annotated[
    str, typer.Option("--new-name", metavar="NAVN", help="Det nye primære systems navn i ADM.")
]
NewUuid = Annotated[
    str, typer.Option("--new-uuid", metavar="UUID", help="Det nye primære systems UUID i ADM.")
]
At = Annotated[str, typer.Option("--at", metavar="TID", help='Dato og tidspunkt, fx "2026-12-01 10:00".')]
AtOrNow = Annotated[
    str | None,
    typer.Option("--at", metavar="TID", help='Dato og tidspunkt, fx "2026-12-01 10:00"; ellers straks.'),
]


def given_facts(options: dict[str, Any]) -> "GivenFacts":
    """The facts among a command's own parameters."""
    from dataclasses import fields

    from engine.desk.facts import GivenFacts

    names = [field.name for field in fields(GivenFacts)]
    return GivenFacts(**{name: options[name] for name in names if name in options})
