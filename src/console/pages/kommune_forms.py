"""What an administrator fills in about a kommune: its connection, receivers (3.1, 3.2, 3.4) and contact point (4)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from console.link import Door
from console.pages.form import Field, Form, FormPage, Values
from console.widgets.spans import line
from engine.domain.registration import (
    Certification,
    ServiceAgreement,
    checked_email,
    checked_emails,
    checked_gln,
    checked_name,
    checked_sor,
    checked_text,
    checked_uuid,
)
from engine.local_time import exact_instant, local_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.receivers import FoundReceiver
    from engine.desk.registry import KommuneView

YES_NO = (("nej", "nej"), ("ja", "ja"))


def name_check(what: str) -> Callable[[str], object]:
    return lambda text: checked_name(text, what)


def _system_fields(
    *, needed: bool, known: "FoundReceiver | None" = None, uuid_needed: bool = True
) -> list[Field]:
    """The handbook's fields of a system; those of ADM first."""
    facts = None if known is None else known.facts

    def was(name: str) -> str:
        return "" if facts is None else str(getattr(facts, name))

    fields = [
        Field("name", "Systemets navn i ADM", was("name"), check=name_check("systemets navn"), needed=True),
        Field(
            "vendor", "Leverandør i ADM", was("vendor"), check=name_check("leverandørens navn"), needed=True
        ),
        Field(
            "vendor_email",
            "Leverandørens e-mail",
            was("vendor_email"),
            "system-e-mail fra ADM",
            lambda text: checked_email(text, "leverandørens e-mailadresse"),
            needed=True,
        ),
    ]
    if known is None:
        uuid = Field(
            "uuid", "Systemets UUID i ADM", "", "8-4-4-4-12 hexcifre", checked_uuid, needed=uuid_needed
        )
        fields.insert(1, uuid)
    fields += [
        Field("area", "Forvaltningsområde", was("area"), "fx Sundhed og omsorg", needed=needed),
        Field("agreed_by", "Aftalt af", was("agreed_by"), "hvem, for forvaltningsområdet", needed=needed),
    ]
    return fields


def _more_fields(known: "FoundReceiver | None") -> list[Field]:
    facts = None if known is None else known.facts
    since = "" if facts is None or facts.monitored_from is None else local_text(facts.monitored_from)
    return [
        Field(
            "agreement",
            "Serviceaftale",
            "kladde" if facts is None else facts.agreement.value,
            choices=[(each.value, each.value) for each in ServiceAgreement],
        ),
        Field(
            "certification",
            "Certificering",
            "ukendt" if facts is None else facts.certification.value,
            choices=[(each.value, each.value) for each in Certification],
        ),
        Field(
            "monitored_from",
            "Overvåges fra",
            since,
            "tom: med det samme; ellers fx 2026-12-01 10:00",
            lambda text: exact_instant(text, "tidspunktet"),
        ),
        Field(
            "overview",
            "Kvitteringsoverblik",
            "ja" if facts is not None and facts.overview_enrolled else "nej",
            "tilmeldt",
            choices=YES_NO,
        ),
        Field(
            "overview_emails",
            "Overbliks e-mails",
            "" if facts is None else ", ".join(facts.overview_emails),
            "flere adskilles med komma",
            lambda text: checked_emails(text, "adressen"),
        ),
    ]


def given_facts(values: Values, *, changed_from: Values | None = None) -> Any:
    """The values as the desk takes them; with `changed_from` only those that differ."""
    from engine.desk.facts import GivenFacts

    taken: dict[str, Any] = {}
    for name, value in values.items():
        if name not in _FACTS or (changed_from is not None and changed_from.get(name) == value):
            continue
        taken[name] = value == "ja" if name in {"only_kvittering", "overview"} else value
    return GivenFacts(**taken)


_FACTS = {
    "name",
    "uuid",
    "vendor",
    "vendor_email",
    "area",
    "agreed_by",
    "agreement",
    "certification",
    "monitored_from",
    "overview",
    "overview_emails",
    "only_kvittering",
}


def make_dueslag(done: Any, desk: "Desk") -> None:
    """A new receiver's mailbox, at once, so that it can begin to look into it."""
    desk.home.make_dueslag(done.system_uuid)


def connect_form(kommune: "KommuneView") -> FormPage[Any]:
    """The kommune's first receiver becomes its primary."""
    fields = [
        Field("gln", "GLN", "", "enheden «Sygehusadviser, X kommune»", checked_gln, needed=True),
        Field("sor", "SOR", "", "11 til 18 cifre", checked_sor, needed=True),
        Field(
            "contact_email",
            "Kontaktpunktets e-mail",
            "",
            "",
            lambda text: checked_email(text, "e-mailadressen"),
            needed=True,
        ),
        Field(
            "contact_note",
            "Andre kanaler",
            "",
            "fx telefon til vagten",
            lambda text: checked_text(text, "noten"),
        ),
        *_system_fields(needed=False),
    ]

    def work(act: Any, desk: Any, values: Values) -> Any:
        from engine.desk.kommuner import ConnectKommune, connect_kommune

        order = ConnectKommune(
            code=kommune.code,
            gln=values["gln"],
            sor=values["sor"],
            contact_email=values["contact_email"],
            contact_note=values["contact_note"],
            primary=given_facts(values),
        )
        return connect_kommune(act, order)

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Tilslut",
            view="kommuner",
            fields=fields,
            door=Door.ADMINISTERING,
            work=work,
            done=lambda done: f"{done.kommune_name} er tilsluttet med {done.receiver_name} som primært.",
            told=lambda values: [
                f"{kommune.name} tilsluttes, og {values['name'] or 'systemet'} bliver primært modtagersystem.",
                "Adviser til kommunens GLN tages imod fra nu af.",
            ],
            outside=make_dueslag,
            save="tilslut",
        )
    )


def add_form(kommune: "KommuneView") -> FormPage[Any]:
    """3.1: a receiver that acknowledges, never as primary."""
    only = Field(
        "only_kvittering",
        "Kun MedComKvittering",
        "nej",
        choices=YES_NO,
        help="systemet afsender ingen anden beskedtype",
    )
    fields = [*_system_fields(needed=True), only, *_more_fields(None)]

    def work(act: Any, desk: Any, values: Values) -> Any:
        from engine.desk.receivers import add_receiver

        return add_receiver(act, kommune.code, given_facts(values))

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Tilføj modtagersystem (3.1)",
            view="kommuner",
            fields=fields,
            door=Door.ADMINISTERING,
            work=work,
            done=lambda done: (
                f"{done.receiver_name} er tilføjet i {done.kommune_name}. En tjekliste er begyndt."
            ),
            told=lambda values: [
                f"{values['name'] or 'Systemet'} tilføjes i {kommune.name} og skal kvittere. Det bliver ikke primært.",
                "Det får adviser fra nu af og overvåges med det samme, eller fra det tidspunkt, der er skrevet.",
            ],
            outside=make_dueslag,
            save="tilføj",
        )
    )


def edit_form(kommune: "KommuneView", found: "FoundReceiver") -> FormPage[Any]:
    """What is known of a receiver; its UUID stays."""
    fields = [*_system_fields(needed=False, known=found), *_more_fields(found)]
    before = {field.name: field.value for field in fields}

    def work(act: Any, desk: Any, values: Values) -> Any:
        from engine.desk.receivers import edit_receiver

        given = given_facts(values, changed_from=before)
        return edit_receiver(act, kommune.code, found.facts.uuid, given, seen=found.version)

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Ret {found.facts.name}",
            view="kommuner",
            fields=fields,
            door=Door.ADMINISTERING,
            work=work,
            done=lambda done: f"{done.receiver_name} er rettet.",
        )
    )


def remove_form(kommune: "KommuneView", found: "FoundReceiver") -> FormPage[Any]:
    """3.2: by name and UUID; a primary never."""
    force = Field(
        "force",
        "Tving",
        "nej",
        choices=YES_NO,
        help="også selv om systemet skylder sygehuset svar",
    )

    def work(act: Any, desk: Any, values: Values) -> Any:
        from engine.desk.receivers import remove_receiver

        return remove_receiver(
            act,
            kommune.code,
            name=found.facts.name,
            uuid=found.facts.uuid,
            force=values["force"] == "ja",
            seen=found.version,
        )

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Fjern {found.facts.name} (3.2)",
            view="kommuner",
            fields=[force],
            door=Door.ADMINISTERING,
            work=work,
            done=lambda done: (
                f"{done.receiver_name} er fjernet fra {done.kommune_name}; {done.waived} afventes ikke længere."
            ),
            intro=[
                line((found.facts.name, "strong"), (f"  {found.facts.uuid}", "dim")),
                line(
                    "Tving bruges kun, når systemet skylder sygehuset svar og aldrig kommer med dem. Det noteres."
                ),
            ],
            told=lambda _: [
                f"{found.facts.name} fjernes fra {kommune.name} og får ikke flere adviser.",
                "Det, der afventes fra det, lukkes som fjernet. Kommer en kvittering senere, bliver den stadig brugt.",
            ],
            save="fjern",
        )
    )


def note_system_form(kommune: "KommuneView") -> FormPage[Any]:
    """3.4: noted for information, never watched."""
    fields = _system_fields(needed=True, uuid_needed=False)

    def work(act: Any, desk: Any, values: Values) -> Any:
        from engine.desk.noted import note_receiver

        return note_receiver(
            act, kommune.code, given_facts({name: value for name, value in values.items() if value})
        )

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Notér system uden kvittering (3.4)",
            view="kommuner",
            fields=fields,
            door=Door.ADMINISTERING,
            work=work,
            done=lambda done: f"{done.receiver_name} er noteret i {done.kommune_name}.",
            told=lambda values: [
                f"{values['name'] or 'Systemet'} noteres til orientering. Det overvåges ikke."
            ],
            save="notér",
        )
    )


def contact_form(kommune: "KommuneView") -> FormPage[Any]:
    """4: one address, and other channels as text."""
    fields: Sequence[Field] = [
        Field(
            "email",
            "Kontaktpunktets e-mail",
            kommune.contact_email or "",
            "",
            lambda text: checked_email(text, "e-mailadressen"),
            needed=True,
        ),
        Field(
            "note",
            "Andre kanaler",
            kommune.contact_note or "",
            "fx telefon til vagten",
            lambda text: checked_text(text, "noten"),
        ),
    ]

    def work(act: Any, desk: Any, values: Values) -> Any:
        from engine.desk.kommuner import set_contact

        return set_contact(
            act, kommune.code, email=values["email"], note=values["note"], seen=kommune.version
        )

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Kontaktpunkt (4)",
            view="kommuner",
            fields=fields,
            door=Door.FILLING_IN,
            kommune=kommune.code,
            work=work,
            done=lambda changed: "Kontaktpunktet er rettet." if changed else "Intet er ændret.",
            told=lambda values: [
                f"Mails om manglende kvitteringer i {kommune.name} sendes til {values['email'] or '–'}."
            ],
        )
    )
