"""The folders are a public interface: what counts as a file, when it goes, and that nothing is ever half-written."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from engine.links import folders
from engine.links.folders import FolderBeskedfordeler, FolderInbox, FolderVansOutbox, leftovers, write_durably
from engine.ports import Finished, OutgoingBesked, OutgoingEnvelope


@pytest.fixture
def inbox(tmp_path: Path) -> FolderInbox:
    (tmp_path / "in").mkdir()
    (tmp_path / "quarantine").mkdir()
    return FolderInbox(tmp_path / "in", tmp_path / "quarantine", max_bytes=10)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "in"


async def names(inbox: FolderInbox, limit: int = 100) -> list[str]:
    return [delivery.name for delivery in await inbox.take(limit)]


async def test_only_files_that_end_in_xml_and_do_not_begin_with_a_dot_count(inbox, place):
    for name in ("a.xml", ".b.xml", "c.xml.part", "d.XML", "e.txt"):
        (place / name).write_bytes(b"x")
    (place / "folder.xml").mkdir()
    (place / "link.xml").symlink_to(place / "a.xml")
    assert await names(inbox) == ["a.xml"]


async def test_the_oldest_comes_first(inbox, place):
    for number, name in enumerate(("b.xml", "a.xml", "c.xml")):
        (place / name).write_bytes(b"x")
        os.utime(place / name, ns=(number, number))
    assert await names(inbox, 2) == ["b.xml", "a.xml"]
    assert await names(inbox) == ["c.xml"]


async def test_a_file_in_hand_is_not_given_again_until_it_is_given_back(inbox, place):
    (place / "a.xml").write_bytes(b"x")
    taken = await inbox.take(10)
    assert await names(inbox) == []
    await inbox.give_back(taken)
    assert await names(inbox) == ["a.xml"]


async def test_a_file_goes_only_when_it_is_finished(inbox, place):
    (place / "a.xml").write_bytes(b"x")
    (delivery,) = await inbox.take(10)
    assert (place / "a.xml").exists()
    await inbox.finish([Finished(delivery)])
    assert not (place / "a.xml").exists()


async def test_the_same_file_has_the_same_key_in_a_new_process_and_another_file_has_not(
    inbox, place, tmp_path
):
    (place / "a.xml").write_bytes(b"x")
    (first,) = await inbox.take(10)
    (again,) = await FolderInbox(place, tmp_path / "quarantine", 10).take(10)
    assert first.key == again.key
    # A copy with all its times preserved, under the same name, as `cp -p` makes it: another delivery all the same.
    shutil.copy2(place / "a.xml", tmp_path / "kept")
    (place / "a.xml").unlink()
    shutil.copy2(tmp_path / "kept", place / "a.xml")
    (dropped_again,) = await FolderInbox(place, tmp_path / "quarantine", 10).take(10)
    assert dropped_again.key != first.key


async def test_the_key_tells_nothing_of_the_name(inbox, place):
    (place / "2509479989.xml").write_bytes(b"x")
    (delivery,) = await inbox.take(10)
    assert "2509479989" not in delivery.key


async def test_a_file_over_the_limit_is_not_read(inbox, place):
    (place / "exact.xml").write_bytes(b"x" * 10)
    (place / "large.xml").write_bytes(b"x" * 11)
    data = {delivery.name: delivery.data for delivery in await inbox.take(10)}
    assert data == {"exact.xml": b"x" * 10, "large.xml": None}


async def test_what_cannot_be_taken_is_put_aside_with_its_reason(inbox, place, tmp_path):
    (place / "a.xml").write_bytes(b"x")
    (delivery,) = await inbox.take(10)
    await inbox.finish([Finished(delivery, "a.xml", {"reason": "not-an-envelope", "text": "Ikke læsbar"})])
    aside = tmp_path / "quarantine"
    assert not (place / "a.xml").exists()
    assert (aside / "a.xml").read_bytes() == b"x"
    note = json.loads((aside / "a.xml.reason.json").read_text())
    assert note == {"file": "a.xml", "reason": "not-an-envelope", "text": "Ikke læsbar"}


async def test_a_name_that_is_used_again_while_its_file_is_in_hand_is_another_delivery(
    inbox, place, tmp_path
):
    (place / "a.xml").write_bytes(b"first")
    (first,) = await inbox.take(10)
    (tmp_path / "next").write_bytes(b"second")
    (tmp_path / "next").rename(place / "a.xml")
    await inbox.finish([Finished(first)])
    (second,) = await inbox.take(10)
    assert (second.data, second.key == first.key) == (b"second", False)


async def test_without_room_for_its_reason_a_file_stays_where_it_is(inbox, place, tmp_path):
    (place / "a.xml").write_bytes(b"x")
    (delivery,) = await inbox.take(10)
    (tmp_path / "quarantine").rmdir()
    with pytest.raises(OSError, match="Mappen findes ikke"):
        await inbox.finish([Finished(delivery, "a.xml", {})])
    assert (place / "a.xml").exists()
    await inbox.give_back([delivery])
    assert await names(inbox) == ["a.xml"]


async def test_a_file_that_may_not_be_read_does_not_stop_the_others(inbox, place, monkeypatch):
    for name in ("a.xml", "b.xml"):
        (place / name).write_bytes(b"x")
    real = os.open

    def refuse(path, *arguments, **options):
        if str(path).endswith("a.xml"):
            raise PermissionError(errno.EACCES, "")
        return real(path, *arguments, **options)

    monkeypatch.setattr(folders.os, "open", refuse)
    assert await names(inbox) == ["b.xml"]
    monkeypatch.undo()
    assert await names(inbox) == ["a.xml"]


async def test_an_envelope_appears_by_rename_under_its_id(tmp_path):
    results = await FolderVansOutbox(tmp_path).send([OutgoingEnvelope("id-1", "r", b"data")])
    assert [result.error for result in results] == [None]
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("id-1.xml", b"data")]


async def test_a_besked_lies_in_every_receivers_dueslag(tmp_path):
    besked = OutgoingBesked("besked-1", "t", "cvr", ("system-a", "system-b"), b"data")
    results = await FolderBeskedfordeler(tmp_path).publish([besked])
    assert [result.error for result in results] == [None]
    for system in ("system-a", "system-b"):
        assert (tmp_path / system / "besked-1.xml").read_bytes() == b"data"


async def test_a_besked_that_does_not_reach_every_dueslag_is_not_accepted(tmp_path):
    (tmp_path / "system-b").write_bytes(b"a file where the dueslag should be")
    both = OutgoingBesked("besked-1", "t", "cvr", ("system-a", "system-b"), b"data")
    one = OutgoingBesked("besked-2", "t", "cvr", ("system-a",), b"data")
    first, second = await FolderBeskedfordeler(tmp_path).publish([both, one])
    assert first.error
    assert second.error is None


@pytest.mark.parametrize(
    ("number", "text"),
    [(errno.ENOSPC, "Disken er fuld"), (errno.EACCES, "Der mangler skriverettigheder til mappen")],
)
def test_a_failed_write_leaves_nothing_behind_and_says_why(tmp_path, monkeypatch, number, text):
    def fail(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folders.os, "fsync", fail)
    assert write_durably([(tmp_path / "a.xml", b"data")]) == [text]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_as_such():
    # /dev/full answers every write as a full disk does.
    assert folders._danish(OSError(errno.ENOSPC, "")) == "Disken er fuld"


def test_half_written_files_of_a_crash_are_cleared_away(tmp_path):
    for name in (".a.xml.tmp", "b.xml", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    leftovers([tmp_path])
    assert sorted(file.name for file in tmp_path.iterdir()) == [".hidden", "b.xml"]
