import os
import pwd

import pytest
from sqlalchemy import delete, insert

from engine.desk.access import ONLY_READING, READERS, Role, caller_identity, caller_of, require
from engine.desk.office import Office
from engine.errors import AccessError
from engine.home import Home
from engine.store.database import Database
from engine.store.tables import role_grant
from tests.desk.builders import NOON


def grant(db: Database, identity: str, role: str, kommune: str = "") -> None:
    row = {
        "identity": identity,
        "role": role,
        "kommune_code": kommune,
        "granted_at": NOON,
        "granted_by": "test",
    }
    with db.writing() as tx:
        tx.conn.execute(insert(role_grant).values(row))


def test_the_caller_is_the_user_of_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert caller_identity() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 4_000_123)
    assert caller_identity() == "uid:4000123"


def test_who_works_by_sudo_as_the_owner_is_still_themselves(
    new_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = caller_identity(new_home.path)
    monkeypatch.setenv("SUDO_UID", "4000123")
    assert caller_identity(new_home.path) == "uid:4000123"
    assert caller_identity() == "uid:4000123"  # a home that is made so is theirs to administer
    refused = pytest.raises(AccessError, match="uid:4000123 har ingen rolle")
    with Office(new_home) as office, refused, office.reading():
        pass
    for nobody in ("0", "", "x", "-1", "²"):  # root is nobody in particular
        monkeypatch.setenv("SUDO_UID", nobody)
        assert caller_identity(new_home.path) == own


def test_in_anothers_home_nobody_is_believed_to_be_whom_sudo_says(
    new_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", str(os.getuid()))
    monkeypatch.setattr(os, "getuid", lambda: 4_000_123)
    assert caller_identity(new_home.path) == "uid:4000123"


@pytest.mark.parametrize("role", ["hotline", "auditor"])
def test_readers_read_and_do_not_administer(new_home: Home, db: Database, role: str) -> None:
    grant(db, "rita", role)
    with Office(new_home, "rita") as office:
        with office.reading():
            pass
        with pytest.raises(AccessError) as caught, office.administering():
            pass
    message = str(caught.value)
    assert f"Brugeren rita har kun rollen {role}" in message
    assert "kræver rollen administrator" in message
    assert caller_identity() in message  # who can grant it


def test_an_administrator_does_both(new_home: Home) -> None:
    with Office(new_home) as office:
        with office.reading():
            pass
        with office.administering():
            pass


def test_unknown_means_no_access(new_home: Home) -> None:
    with Office(new_home, "ukendt") as office:
        with pytest.raises(AccessError, match="har ingen rolle"), office.reading():
            pass
        with pytest.raises(AccessError, match="har ingen rolle"), office.administering():
            pass


def test_a_kommune_does_not_read_of_all_kommuner(new_home: Home, db: Database) -> None:
    grant(db, "karl", "kommune", "0751")
    with Office(new_home, "karl") as office, pytest.raises(AccessError), office.reading():
        pass


def test_a_role_of_a_later_version_gives_nothing(db: Database) -> None:
    grant(db, "rita", "overseer")
    with db.reading() as conn:
        assert caller_of(conn, "rita").roles == frozenset()
        with pytest.raises(AccessError):
            require(conn, "rita", *READERS)


def test_a_home_without_administrator_says_so(db: Database) -> None:
    with db.writing() as tx:
        tx.conn.execute(delete(role_grant))
    with db.reading() as conn, pytest.raises(AccessError, match=r"her: ingen"):
        require(conn, "rita", Role.ADMINISTRATOR)


def test_what_is_refused_is_not_written(new_home: Home, db: Database) -> None:
    grant(db, "rita", "hotline")
    with Office(new_home, "rita") as office, pytest.raises(AccessError), office.administering() as act:
        act.conn.execute(delete(role_grant))
    with db.reading() as conn:
        assert caller_of(conn, "rita").roles == {Role.HOTLINE}


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.HOTLINE])
def test_who_comes_to_read_changes_nothing_whatever_their_role(
    new_home: Home, db: Database, role: Role
) -> None:
    grant(db, "rita", role)
    with Office(new_home, "rita", only_reads=True) as office:
        for door in (office.administering(), office.serving(), office.filling_in("0751")):
            with pytest.raises(AccessError, match=ONLY_READING), door:
                pass
        with office.reading(), office.visiting() as visit:
            assert visit.caller.why_no_change == ONLY_READING
            assert visit.caller.reads_all
            assert not visit.caller.may_fill_in("0751")
            assert visit.caller.roles == {role}  # no role is won by it: a hotline still reads no audit log
    with Office(new_home, "rita") as office, office.visiting() as visit:
        assert visit.caller.why_no_change is None


def test_who_comes_to_read_holds_up_nobody_who_writes(new_home: Home, db: Database) -> None:
    grant(db, "rita", "hotline")
    # Somebody has the one place to write: who may not write does not even ask for it.
    with db.writing(), Office(new_home, "rita", only_reads=True) as office, pytest.raises(AccessError):
        office.serving().__enter__()
