"""Settings: one TOML file in the home, and environment variables, which win.

A variable is named as its key: `vans.receipt_after` is SUNDHEDSAGENT_VANS__RECEIPT_AFTER. Every key stands
here once, with its default, its limits and the Danish comment that a new home's file carries.
"""

import difflib
import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from engine.database_url import read_toml, without_password
from engine.errors import SettingsError
from engine.home import HOME_VARIABLE, KEY_VARIABLE, Home
from engine.setting_types import (
    HOUR,
    LOOPBACK,
    MILLISECOND,
    MINUTE,
    SECOND,
    Batch,
    Bytes,
    Cvr,
    DatabaseUrl,
    Day,
    Email,
    Fingerprints,
    Line,
    LongTime,
    Percent,
    Port,
    PortOrNone,
    SenderFields,
    ShortTime,
    TimeOfDay,
    Uuid,
    UuidOrNone,
    duration_text,
    is_private_way,
)

PREFIX = "SUNDHEDSAGENT_"
_NO_SETTINGS = {HOME_VARIABLE, KEY_VARIABLE}  # variables with the same prefix that other parts read
_MASKED = "********"
_SECRETS = {"mail.password", "incident.driftstatus_token", "listen.token", "vans.token"}

PLACEHOLDERS = {
    "beskedtype_sygehusophold": "00000000-0000-4000-8000-000000000001",
    "beskedtype_medcomkvittering": "00000000-0000-4000-8000-000000000002",
    "agent_system_uuid": "00000000-0000-4000-8000-000000000003",
}
"""Stand in a new home until the real ones of the Beskedfordeler are put in; good for all but production."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(_Section):
    """Databasen."""

    url: DatabaseUrl = Field(
        default="",
        description="Tom: en SQLite-fil her i hjemmemappen. Ellers PostgreSQL, som flere motorer kan deles om: "
        '"postgresql://bruger@server:5432/sundhedsagent". Adgangskoden hører hjemme i miljøet (hele adressen i '
        "SUNDHEDSAGENT_DATABASE__URL, eller PGPASSWORD) eller i ~/.pgpass.",
    )


class VansSettings(_Section):
    """VANS-nettet."""

    receive_by: Literal["folder", "https"] = Field(
        default="folder", description='"folder": vans/in/. "https": POST /vans (se afsnittet listen).'
    )
    send_by: Literal["folder", "https"] = Field(
        default="folder", description='"folder": vans/out/. "https": POST til adressen nedenfor.'
    )
    url: Line = Field(default="", description="VANS-leverandørens adresse, hvortil konvolutter sendes.")
    certificate: Line = Field(
        default="", description="Fil (PEM) med det certifikat, vi sender med. Tom: intet."
    )
    key: Line = Field(default="", description="Fil (PEM) med dets nøgle. Tom: den står i samme fil.")
    ca_file: Line = Field(
        default="", description="Fil med dem, VANS-leverandøren må være udstedt af. Tom: maskinens egne."
    )
    token: Line = Field(
        default="",
        description="Bearer-token til VANS-leverandøren. Det hører hjemme i miljøet, ikke i denne fil.",
    )
    in_flight: Batch = Field(default=20, description="Så mange konvolutter er højst undervejs ad gangen.")
    timeout: ShortTime = Field(default=30 * SECOND, description="Så længe ventes der på et svar.")
    max_envelope_bytes: Bytes = Field(
        default=10_000_000, description="En større konvolut læses ikke, men sættes i karantæne (byte)."
    )
    receipt_after: LongTime = Field(
        default=15 * MINUTE,
        description="Har VANS ikke bekræftet en konvolut inden da, er det en alarm, og den sendes igen.",
    )


class ListenSettings(_Section):
    """Indgangen over HTTPS: POST /vans, og POST /beskedfordeler, hvor Beskedfordeleren selv afleverer."""

    port: PortOrNone = Field(default=0, description="Porten. 0: der lyttes ikke.")
    address: Line = Field(default="127.0.0.1", description="Adressen, der lyttes på.")
    certificate: Line = Field(
        default="", description="Fil (PEM) med serverens certifikat og kæden efter det. Tom: HTTP uden TLS."
    )
    key: Line = Field(default="", description="Fil (PEM) med dets nøgle. Tom: den står i samme fil.")
    client_ca: Line = Field(
        default="", description="Fil med dem, klienters certifikater skal være udstedt af. Tom: ingen kræves."
    )
    clients: Fingerprints = Field(
        default=(),
        description="SHA-256-fingeraftryk af de certifikater, der må sende. Tom liste: alle fra client_ca.",
    )
    token: Line = Field(
        default="", description="Bearer-token, der må sende. Det hører hjemme i miljøet, ikke i denne fil."
    )
    per_second: Batch = Field(
        default=200, description="Så mange kald modtages højst i sekundet; derefter 429."
    )
    most_waiting: Batch = Field(
        default=1_000, description="Så mange kald må højst vente på at blive gemt; derefter 503."
    )
    timeout: ShortTime = Field(
        default=30 * SECOND, description="Så længe venter et kald på at blive gemt; derefter 503."
    )


class PublishSettings(_Section):
    """Fordeling til Beskedfordeleren."""

    batch: Batch = Field(default=200, description="Så mange adviser sendes højst på én gang.")
    alarm_after: LongTime = Field(
        default=10 * MINUTE, description="Et advis, der ikke er fordelt inden da, vises som forsinket."
    )
    late_after: LongTime = Field(
        default=24 * HOUR,
        description="Er det heller ikke fordelt inden da, er det en alarm for sig. Forsøgene fortsætter.",
    )
    longest_pause: LongTime = Field(default=5 * MINUTE, description="Den længste pause mellem to forsøg.")


class BeskedfordelerSettings(_Section):
    """Den fælleskommunale Beskedfordeler: hvordan adviser sendes, og kvitteringer hentes."""

    via: Literal["folder", "amqp"] = Field(
        default="folder",
        description='"folder": mapperne i beskedfordeler/. "amqp": KOMBITs Beskedfordeler, med token fra STS.',
    )
    server: Line = Field(
        default="beskedfordeler.eksterntest-stoettesystemerne.dk",
        description="Beskedfordelerens navn. Uden eksterntest- er det produktion.",
    )
    receive_by: Literal["pull", "push"] = Field(
        default="pull",
        description='"pull": kvitteringer hentes i dueslaget. "push": de afleveres på POST /beskedfordeler.',
    )
    port: Port = Field(default=5671, description="Og dens port til AMQP over TLS.")
    vhost: Line = Field(default="BF", description="Virtuel vært på Beskedfordeleren.")
    cvr: Cvr = Field(
        default="", description="CVR-nummeret, som Sundhedsagentens egne forbindelser åbnes for (8 cifre)."
    )
    dueslag: UuidOrNone = Field(
        default="", description="UUID for Sundhedsagentens eget dueslag, hvor kvitteringerne hentes."
    )
    entity_send: Line = Field(
        default="http://entityid.kombit.dk/service/bfo_afsend/2", description="EntityID for BeskedAfsend."
    )
    entity_receive: Line = Field(
        default="http://entityid.kombit.dk/service/bfo_modtag/2", description="EntityID for BeskedModtag."
    )
    reply_timeout: ShortTime = Field(
        default=10 * SECOND, description="Så længe ventes der på StatusKode for en besked."
    )
    in_flight: Batch = Field(default=50, description="Så mange beskeder er højst undervejs ad gangen.")
    prefetch: Batch = Field(
        default=1,
        description="Så mange hentede kvitteringer må være ubekræftede ad gangen. KOMBIT tillader 1.",
    )
    certificate: Line = Field(
        default="",
        description="Fil (PEM) med Sundhedsagentens OCES-certifikat, og eventuelt kæden efter det.",
    )
    key: Line = Field(default="", description="Fil (PEM) med dets nøgle. Tom: den står i samme fil.")
    ca_file: Line = Field(
        default="",
        description="Fil med de certifikater, Beskedfordeleren og STS må være udstedt af. Tom: maskinens.",
    )
    sts: Line = Field(
        default="https://n2adgangsstyring.eksterntest-stoettesystemerne.dk/runtime/api/rest/wstrust/v1/issue",
        description="Adressen på STS, som udsteder tokens.",
    )
    renew_before: LongTime = Field(
        default=5 * MINUTE, description="Så længe før et token udløber, hentes et nyt."
    )


class KvitteringSettings(_Section):
    """Kvitteringer fra modtagersystemerne."""

    deadline: LongTime = Field(
        default=45 * MINUTE,
        description="Så længe har et modtagersystem til at kvittere, regnet fra StatusKode 20.",
    )
    sender_fields: SenderFields = Field(
        default=("kildesystem", "modtaget_fra_system", "besked_ansvarlig_aktoer"),
        description="Felter i Beskedkuverten, som siger, hvem der kvitterer. Det første udfyldte gælder.",
    )
    max_besked_bytes: Bytes = Field(
        default=10_000_000, description="En større besked læses ikke, men sættes i karantæne (byte)."
    )


class KuvertSettings(_Section):
    """Beskedkuverten om de adviser, der fordeles."""

    include_cpr: bool = Field(
        default=True,
        description="Om borgerens CPR-nummer skrives i Beskedkuverten, som modtagerne kan filtrere på.",
    )


class SwitchoverSettings(_Section):
    """Omlægning af det primære modtagersystem."""

    undo: LongTime = Field(
        default=24 * HOUR, description="Så længe efter en omlægning kan den fortrydes med en ny tilbage."
    )


class PartiesSettings(_Section):
    """Hvem der er hvem, som det står i skabelonen og i tekster til leverandører, og hvornår det var rigtigt."""

    supplier: Line = Field(default="MultiMed", description="Leverandøren af Sundhedsagenten.")
    supplier_email: Line = Field(default="hotline@multimed.dk", description="Hotlinens e-mailadresse.")
    supplier_phone: Line = Field(default="(+45) 7572 5475", description="Hotlinens vagtnummer.")
    supplier_as_of: Day = Field(default="2026-01-01", description="Leverandøren er rigtig pr. denne dato.")
    beskedfordeler: Line = Field(default="KMD", description="Den, der driver Beskedfordeleren.")
    beskedfordeler_as_of: Day = Field(default="2026-01-01", description="Og det er rigtigt pr. denne dato.")
    medcom_email: Line = Field(default="certificering@medcom.dk", description="MedComs certificering.")
    medcom_url: Line = Field(
        default="https://medcom.dk/standarder/test-og-certificering/",
        description="Vejledning om certificering.",
    )
    medcom_as_of: Day = Field(default="2026-01-01", description="MedComs adresser er rigtige pr. denne dato.")
    kombit_email: Line = Field(default="fki@kombit.dk", description="KOMBITs postkasse for infrastrukturen.")
    kombit_product_owner: Line = Field(
        default="", description="Navnet på KOMBITs produktejer. Tomt: skabelonen viser ingen."
    )
    kombit_as_of: Day = Field(
        default="2026-01-01", description="KOMBITs oplysninger er rigtige pr. denne dato."
    )
    driftstatus_url: Line = Field(
        default="https://driftstatus.kombit.dk/", description="Siden, hvor driftsinformation abonneres."
    )


class AlarmSettings(_Section):
    """Manglende kvitteringer: sager og mails."""

    gather: LongTime = Field(
        default=30 * SECOND,
        description="Så længe samles manglende kvitteringer, før en sags første mail sendes.",
    )
    grown_after: LongTime = Field(
        default=15 * MINUTE,
        description="Er sagen vokset, når der er gået så længe efter den første mail, sendes der én til.",
    )
    remind_every: LongTime = Field(default=4 * HOUR, description="Derefter mindes der om sagen så ofte.")
    retake: LongTime = Field(
        default=8 * HOUR,
        description="En taget sag rejses igen, når der er gået så længe uden at den er lukket.",
    )
    escalate_after: LongTime = Field(
        default=2 * HOUR, description="En sag, som ingen har taget inden da, går videre til hotlinens leder."
    )
    lead_email: Email = Field(
        default="", description="Mailadressen på hotlinens leder. Tom: sagen vises, men ingen mail sendes."
    )


class MailSettings(_Section):
    """Mails om sager og hændelser."""

    send_by: Literal["folder", "smtp"] = Field(
        default="folder",
        description='"folder": mails lægges som .eml i hjemmets mail/. "smtp": de sendes af serveren nedenfor.',
    )
    sender: Email = Field(
        default="sundhedsagenten@localhost.localdomain", description="Mailadressen, som mails kommer fra."
    )
    server: Line = Field(default="localhost", description="SMTP-serverens navn.")
    port: Port = Field(default=587, description="Og dens port.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description='"starttls", "tls" fra første byte eller "none" (kun på egen maskine).',
    )
    ca_file: Line = Field(
        default="", description="Fil med de certifikater, serveren må være udstedt af. Tom: maskinens egne."
    )
    user: Line = Field(default="", description="Brugernavn på serveren. Tomt: der logges ikke på.")
    password: Line = Field(
        default="", description="Adgangskoden. Den hører hjemme i miljøet, ikke i denne fil."
    )
    timeout: ShortTime = Field(default=30 * SECOND, description="Så længe ventes der på serveren.")
    per_minute: Batch = Field(default=300, description="Så mange mails forsøges højst sendt i minuttet.")
    longest_pause: LongTime = Field(default=15 * MINUTE, description="Den længste pause mellem to forsøg.")


class OverviewSettings(_Section):
    """Kvitteringsoverblik som daglig mail til tilmeldte leverandører og kontaktpunkter."""

    daily: bool = Field(default=False, description="Om overblikket over det seneste døgn sendes hver dag.")
    at: TimeOfDay = Field(default="07:00", description="Hvornår på dagen, dansk tid.")
    contact_points: bool = Field(
        default=True, description="Om kommunernes kontaktpunkter får det for deres egne systemer."
    )


class IncidentSettings(_Section):
    """Major incidents: hvornår de foreslås, og hvem der får besked."""

    auto_declare: bool = Field(
        default=False, description="true: et forslag erklæres af sig selv. false: et menneske bekræfter."
    )
    bfo_after: LongTime = Field(
        default=5 * MINUTE,
        description="Så længe skal al fordeling mislykkes, over mindst to kommuner, før en hændelse foreslås.",
    )
    unprocessed_after: LongTime = Field(
        default=5 * MINUTE,
        description="Så længe må det ældste, der er kommet ind fra VANS, ligge ubehandlet.",
    )
    failure_window: LongTime = Field(
        default=10 * MINUTE, description="Andelen af fejl regnes over så lang tid."
    )
    failure_percent: Percent = Field(
        default=50, description="Så stor en andel af det modtagne skal mislykkes, før en hændelse foreslås."
    )
    failure_least: Batch = Field(default=20, description="Og så mange skal mindst være mislykkedes.")
    silence_day: LongTime = Field(
        default=30 * MINUTE,
        description="Før der er historik: så længe må der intet komme om dagen (kl. 7-22).",
    )
    silence_night: LongTime = Field(default=3 * HOUR, description="Og så længe om natten.")
    false_alarms_per_year: Batch = Field(
        default=1,
        description="Så mange gange om året må stilhed højst blive meldt, hvor den blot var et tilfælde.",
    )
    update_every: LongTime = Field(
        default=HOUR, description="Næste opdatering af en erklæret hændelse loves efter så længe."
    )
    remind_before: LongTime = Field(
        default=10 * MINUTE, description="Så længe før den lovede opdatering mindes der om den."
    )
    driftsvagt_email: Email = Field(
        default="", description="KOMBITs driftsvagt. Tom: trinnet udføres manuelt."
    )
    beskedfordeler_email: Email = Field(
        default="", description="Fejlmelding hos den, der driver Beskedfordeleren. Tom: manuelt."
    )
    driftstatus_api: Line = Field(
        default="", description="Adressen på driftstatus' HTTP-API (som Statuspage). Tom: manuelt."
    )
    driftstatus_token: Line = Field(
        default="", description="Adgang til API'et. Den hører hjemme i miljøet, ikke i denne fil."
    )


class MonitorSettings(_Section):
    """Overvågning af Sundhedsagenten selv."""

    port: PortOrNone = Field(
        default=0, description="Port for /healthz, /readyz og /metrics. 0: der lyttes ikke."
    )
    address: Line = Field(default="127.0.0.1", description="Adressen, der lyttes på.")
    station_after: LongTime = Field(
        default=2 * MINUTE, description="Så længe må en station stå stille, før det er en alarm."
    )
    envelope_after: LongTime = Field(
        default=15 * MINUTE, description="Så længe må en konvolut vente på at komme ud på VANS."
    )
    mail_after: LongTime = Field(
        default=30 * MINUTE, description="Så længe må en mail vente på at blive sendt."
    )
    person_after: LongTime = Field(
        default=24 * HOUR, description="Så længe må noget vente på et menneske, før det er en alarm."
    )


class EngineSettings(_Section):
    """Motoren."""

    batch: Batch = Field(default=200, description="Så mange meddelelser behandles højst i én transaktion.")
    lease: LongTime = Field(
        default=2 * MINUTE,
        description="Så længe er det, en motor er ved at sende, dens alene. Dør den, overtager en anden det bagefter.",
    )
    poll: ShortTime = Field(
        default=250 * MILLISECOND, description="Pausen mellem to kig efter nyt, når der intet er at lave."
    )


class LogSettings(_Section):
    """Loggen, som skrives til standardfejl."""

    format: Literal["text", "json"] = Field(
        default="text", description='"text" til mennesker eller "json" til logsystemer.'
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='"debug", "info", "warning" eller "error".'
    )


@dataclass(frozen=True, slots=True)
class InForce:
    """One setting as it is in force, and where it comes from: fil, miljø or standard."""

    key: str
    value: str
    origin: Literal["fil", "miljø", "standard"]


class Settings(BaseSettings):
    """All settings. `Settings()` gives the defaults, overridden by the environment."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    environment: Literal["test", "production"] = Field(
        default="test",
        description='"test" eller "production". I produktion starter motoren ikke med pladsholdere nedenfor.',
    )
    beskedtype_sygehusophold: Uuid = Field(
        default=PLACEHOLDERS["beskedtype_sygehusophold"],
        description="UUID for beskedtypen Sygehusophold 2.0. Pladsholder: skal rettes før produktion.",
    )
    beskedtype_medcomkvittering: Uuid = Field(
        default=PLACEHOLDERS["beskedtype_medcomkvittering"],
        description="UUID for beskedtypen MedComKvittering 1.0. Pladsholder: skal rettes før produktion.",
    )
    agent_system_uuid: Uuid = Field(
        default=PLACEHOLDERS["agent_system_uuid"],
        description="Sundhedsagentens eget system-UUID i ADM. Pladsholder: skal rettes før produktion.",
    )
    reject_invalid: bool = Field(
        default=False,
        description="true: et advis, der bryder MedComs profil, afvises med fatal-error. "
        "false: det sendes videre, og afvigelserne noteres på adviset.",
    )
    republish_after_transient: bool = Field(
        default=True,
        description="true: sender sygehuset et advis igen, efter at det primære system har svaret "
        "transient-error, fordeles det igen under samme BeskedId.",
    )
    database: DatabaseSettings = DatabaseSettings()
    vans: VansSettings = VansSettings()
    listen: ListenSettings = ListenSettings()
    publish: PublishSettings = PublishSettings()
    beskedfordeler: BeskedfordelerSettings = BeskedfordelerSettings()
    kvittering: KvitteringSettings = KvitteringSettings()
    kuvert: KuvertSettings = KuvertSettings()
    switchover: SwitchoverSettings = SwitchoverSettings()
    parties: PartiesSettings = PartiesSettings()
    alarm: AlarmSettings = AlarmSettings()
    mail: MailSettings = MailSettings()
    overview: OverviewSettings = OverviewSettings()
    incident: IncidentSettings = IncidentSettings()
    monitor: MonitorSettings = MonitorSettings()
    engine: EngineSettings = EngineSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _beskedtyper_differ(self) -> Self:
        if self.beskedtype_sygehusophold == self.beskedtype_medcomkvittering:
            raise ValueError(
                "beskedtype_sygehusophold og beskedtype_medcomkvittering må ikke være samme UUID"
            )
        return self

    @property
    def send_within_s(self) -> float:
        """So long a batch may be under way: what comes of it is recorded while it is still the engine's own."""
        return 0.75 * self.engine.lease.total_seconds()

    @property
    def begin_within(self) -> timedelta:
        """So long after its claim a batch, or a further slice of it, may be begun: it is over in time."""
        return 0.2 * self.engine.lease

    @property
    def takes_vans(self) -> bool:
        """Whether envelopes come by HTTPS."""
        return self.vans.receive_by == "https"

    @property
    def takes_pushes(self) -> bool:
        """Whether the Beskedfordeler delivers kvitteringer by HTTPS."""
        return self.beskedfordeler.via == "amqp" and self.beskedfordeler.receive_by == "push"

    @model_validator(mode="after")
    def _amqp_is_whole(self) -> Self:
        if self.beskedfordeler.via == "amqp":
            missing = [
                name for name in ("cvr", "dueslag", "certificate") if not getattr(self.beskedfordeler, name)
            ]
            if missing:
                keys = ", ".join(f"beskedfordeler.{name}" for name in missing)
                raise ValueError(f'beskedfordeler.via = "amqp" kræver også {keys}')
        return self

    @model_validator(mode="after")
    def _https_is_whole(self) -> Self:
        if (self.takes_vans or self.takes_pushes) and not self.listen.port:
            raise ValueError("listen.port skal sættes, når noget modtages over HTTPS")
        if self.vans.send_by == "https" and not is_private_way(self.vans.url):
            raise ValueError('vans.send_by = "https" kræver vans.url, som "https://vans.example/modtag"')
        if self.beskedfordeler.via == "amqp" and not is_private_way(self.beskedfordeler.sts):
            raise ValueError("beskedfordeler.sts skal være en adresse, der begynder med https://")
        known = self.listen.certificate and (self.listen.client_ca or self.listen.token)
        if self.listen.port and not known and self.listen.address not in LOOPBACK:
            raise ValueError(
                "listen.address er åben for andre maskiner: sæt listen.certificate, og desuden listen.client_ca "
                "eller listen.token"
            )
        if self.listen.client_ca and not self.listen.certificate:
            raise ValueError("listen.client_ca kræver listen.certificate: uden TLS har ingen et certifikat")
        if self.listen.clients and not (self.listen.certificate and self.listen.client_ca):
            raise ValueError("listen.clients kræver listen.certificate og listen.client_ca")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file says, which `load` hands to the constructor."""
        return _Environment(settings_cls), init_settings

    @classmethod
    def load(cls, home: Home) -> "Settings":
        """The settings of a home; SettingsError with everything that is wrong with them."""
        content = read_toml(home.settings_file)
        faults = _unknown_in_file(home, content) + _unknown_variables()
        settings = None
        try:
            settings = cls(**_known_only(content))
        except ValidationError as error:
            faults += [_explain(home, details) for details in error.errors()]
        if faults or settings is None:
            raise SettingsError("\n  ".join(("Indstillingerne kan ikke bruges:", *faults)))
        return settings

    @classmethod
    def in_force(cls, home: Home) -> list[InForce]:
        """Every key with its value and where that comes from; secrets are masked."""
        settings, content = cls.load(home), read_toml(home.settings_file)
        lines = [
            InForce(key, _masked(key, _at(settings.model_dump(), key)), _origin(content, key))
            for key, _ in fields()
        ]
        key_origin: Literal["miljø", "fil"] = "miljø" if KEY_VARIABLE in os.environ else "fil"
        return [*lines, InForce("payload_key", _MASKED, key_origin)]


def refuse_placeholders(settings: Settings) -> None:
    """Production needs the real UUIDs: SettingsError naming those that are still placeholders."""
    left = [key for key in PLACEHOLDERS if getattr(settings, key) in PLACEHOLDERS.values()]
    if settings.environment == "production" and left:
        raise SettingsError(
            f'environment = "production", men {", ".join(left)} er stadig pladsholdere. '
            f"Ret dem i sundhedsagent.toml eller i miljøet ({', '.join(map(variable, left))})."
        )


def fields(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key, dotted, with its field; the sections after the plain keys, as TOML wants them."""
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            yield from fields(section, f"{name}.")
        else:
            yield prefix + name, field


def variable(key: str) -> str:
    """The environment variable of a key."""
    return PREFIX + key.replace(".", "__").upper()


def new_file(given: Mapping[str, object] | None = None) -> str:
    """The settings file of a new home: every key with its default, or the `given` value, and a comment."""
    given = given or {}
    lines = [
        "# Sundhedsagentens indstillinger.",
        f'# Hver nøgle kan også sættes i miljøet, som vinder: {variable("vans.receipt_after")}="30 min".',
        '# Varigheder skrives som "250 ms", "30 s", "15 min", "4 h" eller "2 d".',
    ]
    section = ""
    for key, field in fields():
        here, _, name = key.rpartition(".")
        if here != section:
            section = here
            lines += ["", f"# {Settings.model_fields[section].annotation.__doc__}", f"[{section}]"]
        lines.append("")
        lines += textwrap.wrap(field.description or "", 100, initial_indent="# ", subsequent_indent="# ")
        lines.append(f"{name} = {_toml_value(given.get(key, field.default))}")
    return "\n".join(lines) + "\n"


def _masked(key: str, value: object) -> str:
    if key == "database.url":
        return _toml_value(without_password(str(value)))
    return _MASKED if key in _SECRETS and value else _toml_value(value)


class _Environment(PydanticBaseSettingsSource):
    """The variables that name a key. (The source of pydantic-settings wants lists and sections as JSON.)"""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for key, _ in fields():
            if variable(key) in os.environ:
                section, _, name = key.rpartition(".")
                (given.setdefault(section, {}) if section else given)[name] = os.environ[variable(key)]
        return given


def _known_keys() -> dict[str, FieldInfo]:
    return dict(fields())


def _known_only(content: Mapping[str, Any]) -> dict[str, Any]:
    """What pydantic is to judge; `_unknown_in_file` tells of unknown keys, with the nearest known one."""
    known = _known_keys()
    sections = {key.partition(".")[0] for key in known if "." in key}
    kept: dict[str, Any] = {}
    for name, value in content.items():
        if name in sections and isinstance(value, dict):
            kept[name] = {inner: item for inner, item in value.items() if f"{name}.{inner}" in known}
        elif name in sections or name in known:
            kept[name] = value
    return kept


def _unknown_in_file(home: Home, content: Mapping[str, Any]) -> list[str]:
    known = _known_keys()
    sections = {key.partition(".")[0] for key in known if "." in key}
    given: list[str] = []
    for name, value in content.items():
        if name in sections and isinstance(value, dict):
            given += [f"{name}.{inner}" for inner in value]
        elif name not in sections:
            given.append(name)
    return [
        f"{home.settings_file}: {key} er ukendt{_nearest(key, known)}" for key in given if key not in known
    ]


def _unknown_variables() -> list[str]:
    known = {variable(key): key for key in _known_keys()}
    given = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    return [
        f"Miljøvariablen {name} er ukendt{_nearest(name.upper(), known)}"
        for name in given
        if name not in known and name not in _NO_SETTINGS
    ]


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    """The known key that was meant, if one is near; a right name in the wrong section counts as near."""
    last = {name.rpartition(".")[2]: name for name in known}
    close = difflib.get_close_matches(key, known, n=1) or [
        last[name] for name in difflib.get_close_matches(key.rpartition(".")[2], last, n=1)
    ]
    return f"; mente du {close[0]}?" if close else ""


def _explain(home: Home, details: ErrorDetails) -> str:
    key = ".".join(str(part) for part in details["loc"] if isinstance(part, str))
    expected = _expectation(details)
    if not key:
        return f"{home.settings_file}: {expected}"
    if variable(key) in os.environ:
        return f"Miljøvariablen {variable(key)} {expected}, men er {_shown(details['input'])}"
    return f"{home.settings_file}: {key} {expected}, men er {_shown(details['input'])}"


def _expectation(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"skal være {str(context['expected']).replace(' or ', ' eller ')}"
        case "bool_parsing" | "bool_type":
            return "skal være true eller false"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "skal være et afsnit med nøgler under sig"
        case _:
            return details["msg"]


def _shown(value: object) -> str:
    shown = _toml_value(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"


def _toml_value(value: object) -> str:
    match value:
        case timedelta():
            return f'"{duration_text(value)}"'
        case list() | tuple():
            return f"[{', '.join(_toml_value(item) for item in value)}]"
        case bool() | str() | int():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _at(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _origin(content: Mapping[str, Any], key: str) -> Literal["fil", "miljø", "standard"]:
    if variable(key) in os.environ:
        return "miljø"
    return "standard" if _at(content, key) is None else "fil"
