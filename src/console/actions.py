"""Every action there is, once: its key, its words, and what it asks of the one who does it.

Bindings, key bar, help, palette and docs/taster.md are all made from this table. A page names the actions it has, and
has a method `do_<name>` for each, where the name is what stands after the last dot of the id, with _ for -.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from textual.binding import Binding

from console.model import Need

_HERE = " i den mappe, du står i"


@dataclass(frozen=True, slots=True)
class Action:
    """`keys` as Textual names them, `shown` as people do; `label` for the key bar, `help` a sentence."""

    id: str
    keys: str
    shown: str
    label: str
    help: str
    need: Need = Need.NOTHING

    @property
    def method(self) -> str:
        return "do_" + self.id.rpartition(".")[2].replace("-", "_")

    def told(self, *, in_browser: bool) -> str:
        """The help where the console is shown: a browser puts files in a place of its own."""
        return self.help.replace(_HERE, "") if in_browser else self.help


VIEWS: Mapping[str, str] = {
    "overblik": "Overblik",
    "adviser": "Adviser",
    "kvitteringer": "Kvitteringer",
    "kommuner": "Kommuner",
    "skabelon": "Skabelon",
    "haendelser": "Hændelser",
    "fejlsoegning": "Fejlsøgning",
    "log": "Log",
}
"""The views in the order of their keys, 1 to 8."""

VIEW_NEEDS = {
    "haendelser": Need.READ_ALL,
    "fejlsoegning": Need.READ_ALL,
    "log": Need.READ_ALL,
}


def _views() -> Iterable[Action]:
    told = {
        "overblik": "Går det godt? Hvad kræver handling?",
        "adviser": "Følg adviserne, mens de kommer, og find ét.",
        "kvitteringer": "Hvad mangler, hvor længe er der, og hvem skal der ringes til?",
        "kommuner": "De 98 kommuner, deres modtagersystemer, kontaktpunkter og omlægninger.",
        "skabelon": "Udfyld en kommunes skabelon, og tag den med som fil.",
        "haendelser": "Foreslåede, åbne og afsluttede hændelser.",
        "fejlsoegning": "Er mit advis kommet? Svar på det, trin for trin.",
        "log": "Hvad motoren og mennesker har gjort.",
    }
    for key, (view, name) in enumerate(VIEWS.items(), start=1):
        need = VIEW_NEEDS.get(view, Need.NOTHING)
        yield Action(f"vis.{view}", str(key), str(key), name, told[view], need)


_EVERYWHERE = (
    Action("hjaelp", "question_mark,f1", "?", "hjælp", "Vis, hvad siden er til, og alle dens taster."),
    Action("kommando", "colon,ctrl+p", ":", "kommando", "Find en handling eller en kommune ved at skrive."),
    Action("tilbage", "escape", "esc", "tilbage", "Gå tilbage, eller fjern filteret."),
    Action("hent", "r", "r", "hent igen", "Hent data igen nu, og tegn hele skærmen igen."),
    Action("tema", "f9", "F9", "tema", "Skift mellem temaerne nat og dag."),
    Action("billede", "f8", "F8", "skærmbillede", "Gem skærmen som billede (SVG)."),
    Action(
        "til-side", "ctrl+z", "ctrl+z", "læg til side", "Læg konsollen til side; fg henter den frem igen."
    ),
    Action("afslut", "q", "q", "afslut", "Luk konsollen. Motoren kører videre."),
)

_OF_PAGES = (
    # lists
    Action(
        "filter",
        "slash",
        "/",
        "filtrér",
        "Vis kun det, der passer: ord og fx kommune:aarhus status:fordelt !kode:STIN.",
    ),
    Action("aabn", "", "enter", "åbn", "Åbn det, markøren står på."),
    Action("kopier", "y", "y", "kopiér", "Kopiér id, tekst eller besked til udklipsholderen."),
    Action("eksporter", "x", "x", "eksportér", "Gem det viste som fil i den mappe, du står i."),
    Action("sorter", "s", "s", "sortér", "Sortér efter næste kolonne."),
    Action("vend", "S", "S", "vend", "Vend sorteringen."),
    Action("pause", "space", "mellemrum", "pause", "Hold listen i ro; nye tælles imens."),
    Action("foelg", "f", "f", "følg", "Gå til det nyeste, og følg med."),
    Action(
        "overskredne", "o", "o", "kun overskredne", "Vis kun det, hvis frist er overskredet; igen viser alt."
    ),
    Action("grupper", "v", "v", "gruppér", "Saml pr. kommune og modtagersystem; igen viser hver for sig."),
    # forms
    Action("form.gem", "f2", "F2", "gem", "Prøv det af, se hvad der sker, og bekræft."),
    Action("form.naeste", "", "tab", "næste felt", "Gå til det næste felt; shift+tab til det forrige."),
    Action("form.ja", "j", "j", "ja", "Ja, gør det."),
    Action("form.nej", "n", "n", "nej", "Nej, gå tilbage; intet er ændret."),
    # overview
    Action(
        "behandlet", "b", "b", "behandlet", "Sig, at der er gjort det, der kan gøres ved punktet.", Need.SERVE
    ),
    Action("karantaene.proev", "p", "p", "prøv igen", "Læg det ind igen, som om det kom på ny.", Need.SERVE),
    Action("karantaene.kasser", "d", "d", "kassér", "Kassér det, med en begrundelse.", Need.SERVE),
    # cases
    Action(
        "sag.tag",
        "t",
        "t",
        "tag sag",
        "Tag sagen, så påmindelser holder inde, og andre kan se det.",
        Need.SERVE,
    ),
    Action("sag.slip", "l", "l", "læg tilbage", "Læg sagen tilbage, så andre kan tage den.", Need.SERVE),
    Action("sag.note", "n", "n", "note", "Skriv en note på sagen.", Need.SERVE),
    Action("sag.mail", "m", "m", "vis mail", "Læs den senest sendte mail i sagen."),
    # one advis
    Action(
        "advis.besked", "m", "m", "besked", "Læs selve beskeden med personoplysninger skjult.", Need.READ_ALL
    ),
    Action(
        "advis.fuld",
        "M",
        "M",
        "hele beskeden",
        "Læs beskeden med personoplysninger; kræver en grund, som noteres.",
        Need.SERVE,
    ),
    Action(
        "advis.send-igen",
        "a",
        "a",
        "send igen",
        "Send til Beskedfordeleren igen under samme BeskedId.",
        Need.SERVE,
    ),
    # one kommune
    Action(
        "kommune.tilfoej",
        "n",
        "n",
        "tilføj system",
        "Tilføj et modtagersystem, der kvitterer (3.1); en ny kommune tilsluttes med sit første.",
        Need.ADMINISTER,
    ),
    Action(
        "kommune.ret", "e", "e", "ret", "Ret oplysningerne om det system, markøren står på.", Need.ADMINISTER
    ),
    Action(
        "kommune.fjern",
        "d",
        "d",
        "fjern",
        "Fjern det system, markøren står på (afsnit 3.2).",
        Need.ADMINISTER,
    ),
    Action(
        "kommune.omlaeg",
        "p",
        "p",
        "gør primær",
        "Gør systemet primært, nu eller på et tidspunkt (afsnit 3.3).",
        Need.ADMINISTER,
    ),
    Action(
        "kommune.omlaegning",
        "O",
        "O",
        "omlægning",
        "Flyt, annullér eller fortryd omlægningen.",
        Need.ADMINISTER,
    ),
    Action(
        "kommune.noter",
        "u",
        "u",
        "uden kvittering",
        "Notér et system, der modtager uden at kvittere (afsnit 3.4).",
        Need.ADMINISTER,
    ),
    Action(
        "kommune.kontakt", "c", "c", "kontaktpunkt", "Ret kommunens kontaktpunkt (afsnit 4).", Need.FILL_IN
    ),
    Action(
        "kommune.vindue",
        "w",
        "w",
        "servicevindue",
        "Planlæg et servicevindue, hvor der ikke sendes mail.",
        Need.SERVE,
    ),
    Action(
        "kommune.tjeklister",
        "t",
        "t",
        "tjeklister",
        "Følg procedurerne trin for trin, med tekster klar til at sende.",
    ),
    Action("kommune.anmod", "a", "a", "anmod", "Anmod om en ændring (afsnit 3.1 til 3.3).", Need.FILL_IN),
    Action("kommune.skabelon", "b", "b", "skabelon", "Vis kommunens skabelon."),
    Action(
        "omlaegning.flyt",
        "f",
        "f",
        "flyt",
        "Flyt den planlagte omlægning til et andet tidspunkt.",
        Need.ADMINISTER,
    ),
    Action("omlaegning.annuller", "d", "d", "annullér", "Annullér den planlagte omlægning.", Need.ADMINISTER),
    Action(
        "omlaegning.fortryd",
        "u",
        "u",
        "fortryd",
        "Tag en gennemført omlægning tilbage med en ny.",
        Need.ADMINISTER,
    ),
    # checklists and requests
    Action("trin.udfoert", "u", "u", "udført", "Sæt trinnet udført, med person, dato og note.", Need.FILL_IN),
    Action(
        "trin.ikke-relevant",
        "i",
        "i",
        "ikke relevant",
        "Sæt trinnet ikke relevant, med en note.",
        Need.FILL_IN,
    ),
    Action("trin.aaben", "e", "e", "åbn igen", "Sæt trinnet åbent igen.", Need.FILL_IN),
    Action(
        "anmodning.imoedekom",
        "i",
        "i",
        "imødekom",
        "Udfør anmodningen efter samme regler som ellers.",
        Need.ADMINISTER,
    ),
    Action(
        "anmodning.send-tilbage",
        "d",
        "d",
        "send tilbage",
        "Send anmodningen tilbage med en begrundelse.",
        Need.ADMINISTER,
    ),
    # template
    Action("skabelon.ret", "e", "e", "udfyld", "Udfyld feltet, markøren står på.", Need.FILL_IN),
    Action("skabelon.naeste", "n", "n", "næste manglende", "Gå til det næste felt, der mangler."),
    Action("skabelon.docx", "x", "x", "gem DOCX", "Gem skabelonen som DOCX i den mappe, du står i."),
    Action("skabelon.html", "h", "h", "gem HTML", "Gem skabelonen som HTML i den mappe, du står i."),
    Action(
        "skabelon.tekst", "m", "m", "gem tekst", "Gem skabelonen som tekst (Markdown) i den mappe, du står i."
    ),
    # incidents
    Action(
        "haendelse.foreslaa",
        "n",
        "n",
        "foreslå",
        "Foreslå en hændelse, som ikke er opdaget af sig selv.",
        Need.SERVE,
    ),
    Action(
        "haendelse.erklaer",
        "e",
        "e",
        "erklær",
        "Erklær major incident og sæt håndbogens trin i gang.",
        Need.ADMINISTER,
    ),
    Action("haendelse.afvis", "d", "d", "afvis", "Afvis forslaget med en begrundelse.", Need.ADMINISTER),
    Action(
        "haendelse.opdater", "u", "u", "opdatér", "Skriv en opdatering, og lov den næste.", Need.ADMINISTER
    ),
    Action("haendelse.loest", "l", "l", "løst", "Meld hændelsen løst.", Need.ADMINISTER),
    Action(
        "haendelse.trin", "t", "t", "trin udført", "Sæt trinnet udført, med hvem og hvornår.", Need.ADMINISTER
    ),
    # Fejlsøgning
    Action(
        "fejl.find",
        "f2",
        "F2",
        "find svaret",
        "Slå op, og vis hvad der skal siges, og hvem der skal ringes til.",
    ),
    Action("fejl.forfra", "f4", "F4", "forfra", "Ryd spørgsmålene, og begynd forfra."),
    # log
    Action("log.alarmer", "o", "o", "kun alarmer", "Vis kun advarsler og alarmer; igen viser alt."),
    Action("log.skift", "v", "v", "skift log", "Skift mellem hændelseslog og revisionslog."),
)

ACTIONS: Mapping[str, Action] = {action.id: action for action in (*_views(), *_EVERYWHERE, *_OF_PAGES)}

EVERYWHERE = tuple(action.id for action in (*_views(), *_EVERYWHERE))
"""What every page has."""


def bindings(*ids: str) -> list[Binding]:
    """As Textual wants them; none is shown by Textual itself."""
    return [
        Binding(action.keys, f"do('{action.id}')", action.label, show=False, id=action.id)
        for action in (ACTIONS[id_] for id_ in ids)
        if action.keys
    ]
