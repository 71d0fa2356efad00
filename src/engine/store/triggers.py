"""A rule that the database itself holds, against raw SQL too: written once, rendered for each kind of database."""

import re
from dataclasses import dataclass

from engine.store.locks import WRITER_LOCK

_FUNCTION = re.compile(r"CREATE FUNCTION (?P<name>\w+)\(\).* AS \$\$(?P<body>.*)\$\$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A trigger that refuses a row. `condition` speaks of NEW and OLD; `moment` is "BEFORE INSERT ON receiver"."""

    name: str
    moment: str
    condition: str
    why: str

    def statements(self, dialect: str) -> tuple[str, ...]:
        """What makes it, in the dialect of `sqlite` or `postgresql`."""
        if dialect == "sqlite":
            return (
                (
                    f"CREATE TRIGGER {self.name} {self.moment}"
                    f" BEGIN SELECT RAISE(ABORT, '{self.why}') WHERE {self.condition}; END"
                ),
            )
        is_deletion, table = "BEFORE DELETE" in self.moment, self.moment.rpartition(" ")[2]
        row = "OLD" if is_deletion else "NEW"
        # The lock of all writers: what the condition looks at must not be changing on another connection.
        return (
            (
                f"CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" PERFORM pg_advisory_xact_lock({WRITER_LOCK});"
                f" IF {self.condition} THEN"
                f" RAISE EXCEPTION '{self.why}' USING ERRCODE = 'integrity_constraint_violation'; END IF;"
                f" RETURN {row}; END $$"
            ),
            f"CREATE TRIGGER {self.name} {self.moment} FOR EACH ROW EXECUTE FUNCTION {self.name}()",
            *(self._against_truncate(table) if is_deletion else ()),
        )

    def kept_as(self, dialect: str) -> dict[str, str]:
        """What the database keeps of it: each trigger's name, with the text of what it does."""
        if dialect == "sqlite":
            return {self.name: self.statements(dialect)[0]}
        made = [_FUNCTION.match(statement) for statement in self.statements(dialect)]
        return {function["name"]: function["body"] for function in made if function}

    def _against_truncate(self, table: str) -> tuple[str, ...]:
        """TRUNCATE deletes without firing the triggers of rows."""
        name = f"{self.name}_at_once"
        return (
            (
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" RAISE EXCEPTION '{self.why}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
            ),
            f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
        )
