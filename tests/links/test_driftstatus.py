"""The status page by HTTP, against a server that behaves as Statuspage's API does."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.links.driftstatus import HttpStatusPage
from engine.ports import SendResult, StatusUpdate
from engine.settings import IncidentSettings
from tests.links.status_server import TOKEN, Page, status_server

FIRST = StatusUpdate("sundhedsagenten-1", None, "Ingen adviser", "investigating", "Vi undersøger æøå.")
NEXT = replace(FIRST, external_id="inc1", phase="identified", text="Fejlen er fundet.")


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def api(page: Page) -> Iterator[str]:
    with status_server(page) as address:
        yield address


def link(api: str, token: str = TOKEN) -> HttpStatusPage:
    return HttpStatusPage(IncidentSettings(driftstatus_api=api, driftstatus_token=token))


async def post(api: str, item: StatusUpdate, **more: str) -> SendResult:
    (result,) = await link(api, **more).post([item])
    return result


async def test_an_incident_is_made_and_updated(page: Page, api: str) -> None:
    assert await post(api, FIRST) == SendResult(external_id="inc1")
    assert await post(api, NEXT) == SendResult(external_id="inc1")
    (made,) = page.incidents.values()
    assert (made["name"], made["status"]) == ("Ingen adviser", "identified")
    assert [each["body"] for each in made["incident_updates"]] == ["Fejlen er fundet.", "Vi undersøger æøå."]


@pytest.mark.parametrize("item", [FIRST, NEXT], ids=["made", "updated"])
async def test_what_was_done_but_never_heard_of_is_not_done_twice(
    page: Page, api: str, item: StatusUpdate
) -> None:
    if item is NEXT:
        await post(api, FIRST)
    page.moods = ["lost"]
    lost = await post(api, item)
    assert lost.error == "Der er ingen forbindelse til driftstatus"
    assert not lost.final
    assert await post(api, item) == SendResult(external_id="inc1")
    (made,) = page.incidents.values()
    assert [each["body"] for each in made["incident_updates"]].count(item.text) == 1


async def test_another_incident_is_another(page: Page, api: str) -> None:
    await post(api, FIRST)
    assert await post(api, replace(FIRST, key="sundhedsagenten-2")) == SendResult(external_id="inc2")
    assert len(page.incidents) == 2


@pytest.mark.parametrize("status", [408, 420, 429, 500, 503])
async def test_what_may_pass_is_tried_again(page: Page, api: str, status: int) -> None:
    page.moods = [status]
    assert await post(api, FIRST) == SendResult(f"driftstatus svarer {status}")
    assert await post(api, FIRST) == SendResult(external_id="inc1")


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_what_is_refused_is_refused_for_good(page: Page, api: str, status: int) -> None:
    page.moods = [status]
    assert await post(api, FIRST) == SendResult(f"driftstatus svarer {status}", final=True)


async def test_a_wrong_token_and_a_wrong_address_are_for_a_person_to_mend(api: str) -> None:
    assert await post(api, FIRST, token="forkert") == SendResult("driftstatus svarer 401", final=True)
    wrong = await post("ikke en adresse", FIRST)
    assert wrong == SendResult("incident.driftstatus_api er ikke en adresse på HTTP", final=True)


async def test_nobody_there_is_tried_again() -> None:
    with status_server(Page()) as address:
        pass
    assert await post(address, FIRST) == SendResult("Der er ingen forbindelse til driftstatus")


async def test_a_page_that_answers_something_else_is_tried_again(page: Page, api: str) -> None:
    page.incidents["inc9"] = {"status": "investigating", "metadata": 7, "id": "inc9"}
    assert await post(api, FIRST) == SendResult("driftstatus svarer noget, der ikke kan læses")
