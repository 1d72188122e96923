"""What `tercet doctor` looks at in a PostgreSQL server: its settings, who logs in, and whether every form fits."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from .checks import Finding
from .errors import TercetError
from .migrations import VERSION, version_of
from .postgres import Postgres
from .postgres_scrub import scrub_server
from .postgres_tables import OPEN
from .postings import Postings
from .progress import positions
from .triplets import Triplets
from .words import Words

__all__ = ["check_server", "empty_server", "pgvector_is_safe"]

_OLDEST = 150_000  # of the server: views that are held to row-level security
_SETTINGS = {  # what must not be otherwise, and what happens if it is
    "fsync": "a power cut can damage the database",
    "full_page_writes": "a power cut can damage the database",
}


def check_server(url: str) -> list[Finding]:
    """Returns what is found about a memory in PostgreSQL; nothing in it is changed."""
    try:
        database = Postgres(url)
    except TercetError as error:
        return [Finding("database", "fail", str(error))]
    found: list[Finding] = []
    try:
        with database.reading() as connection:
            found += [*_server(connection), *_role(connection)]
            version = version_of(connection)
            if not version:
                return [*found, Finding("memory", "warn", f"none at {database.place} yet")]
            if version != VERSION:
                return [*found, Finding("database", "fail", f"of version {version}; this Tercet knows {VERSION}")]
            found += [*_held(connection), *_forms(database, connection)]
    except TercetError as error:
        found.append(Finding("database", "fail", str(error)))
    except DBAPIError as error:
        found.append(Finding("database", "fail", f"{error.orig}; restore a backup or an export"))
    finally:
        database.close()
    return found


def empty_server(url: str) -> Finding:
    """Writes tables anew and moves the log on, so that bytes of forgotten notes leave the server's files."""
    try:
        database = Postgres(url)
        try:
            done = scrub_server(database, tuple)
        finally:
            database.close()
    except TercetError as error:
        return Finding("erase", "fail", str(error))
    told = "; ".join(f"{where} {what}" for where, what, _ in done.steps if where != "scan")
    return Finding("erase", "ok" if done.clean else "warn", f"{told}; not covered: {'; '.join(done.left)}")


def pgvector_is_safe(version: str) -> bool:
    """Returns whether a version of pgvector is without CVE-2026-3172 and the mended faults of HNSW: 0.8.4 and later."""
    parts = [int(part) for part in version.split(".") if part.isdigit()]
    return tuple(parts) >= (0, 8, 4)


def _server(connection: Connection) -> Iterator[Finding]:
    number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    yield Finding("server", "ok" if number >= _OLDEST else "fail", f"PostgreSQL {version}; 15 or later is needed")
    for name, harm in _SETTINGS.items():
        if connection.exec_driver_sql(f"SHOW {name}").scalar_one() != "on":
            yield Finding("server", "fail", f"{name} is off: {harm}; set it to on")
    found = connection.exec_driver_sql("SELECT extversion FROM pg_extension WHERE extname = 'vector'").scalar()
    if found is None:
        yield Finding("pgvector", "fail", "not in this database; as a superuser: CREATE EXTENSION vector")
    elif pgvector_is_safe(found):
        yield Finding("pgvector", "ok", found)
    else:
        yield Finding("pgvector", "warn", f"{found} has CVE-2026-3172; install 0.8.4, ALTER EXTENSION vector UPDATE")


def _role(connection: Connection) -> Iterator[Finding]:
    name, superuser, bypasses = connection.exec_driver_sql(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).one()
    if superuser or bypasses:
        what = "is a superuser" if superuser else "bypasses row-level security"
        yield Finding("role", "warn", f"{name} {what}, so the server holds it to no scope; log in as a plain role")
    else:
        yield Finding("role", "ok", f"{name}, held to its scopes by the server")
    encrypted = connection.exec_driver_sql(
        "SELECT inet_server_addr() IS NULL "
        "OR coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)"
    ).scalar_one()
    if not encrypted:
        yield Finding("connection", "warn", "not encrypted; add ?sslmode=verify-full to the URL")


def _held(connection: Connection) -> Iterator[Finding]:
    free = connection.exec_driver_sql(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity) "
        "AND relnamespace = quote_ident(current_schema())::regnamespace ORDER BY relname"
    ).scalars()
    unheld = [name for name in free if name not in OPEN]
    if unheld:
        yield Finding("row-level security", "fail", f"not on {', '.join(unheld)}; import an export into a new database")
    else:
        yield Finding("row-level security", "ok", "on every table with notes in it, for the owner too")


def _forms(database: Postgres, connection: Connection) -> Iterator[Finding]:
    def count(what: str) -> int:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {what}").scalar_one())

    notes, seen = count("note"), positions(database)
    last = int(connection.exec_driver_sql("SELECT coalesce(max(seq), 0) FROM change").scalar_one())
    if count("change") != last:
        yield Finding("database", "fail", f"{count('change'):,} changes, but the last is {last:,}; restore a backup")
    yield Finding("notes", "ok", f"{notes:,}, {last:,} changes, {database.size() / 1e6:,.1f} MB")
    for name, form in (("words", Words(database)), ("triplets", Triplets(database, None))):
        misfits = form.index.misfits() if isinstance(form.index, Postings) else []
        mend = f"make it anew: tercet rebuild --form {name}"
        if misfits:
            yield Finding(name, "fail", f"{len(misfits):,} rows of the full text do not fit; {mend}")
        elif seen.get(name, 0) < last:
            yield Finding(name, "fail", f"it has followed up to change {seen.get(name, 0):,} of {last:,}; {mend}")
        else:
            yield Finding(name, "ok", f"{form.index.count():,} in the full text, which fits them")
    yield Finding("graph", "ok", f"{count('mention'):,} mentions of names")
    made_by = connection.exec_driver_sql("SELECT value FROM meta WHERE key = 'embedder'").scalar()
    if made_by is None:
        yield Finding("vectors", "ok", "none; this memory has never been opened with an embedder")
    elif seen.get("vectors", 0) < last:
        yield Finding("vectors", "warn", f"up to change {seen.get('vectors', 0):,} of {last:,}; the rest follow later")
    else:
        dimensions = int(str(made_by).rpartition("/")[2])
        good = count(f"embedding WHERE vector_dims(vector) = {dimensions}")
        mend = "" if good == notes else "; make them anew: tercet rebuild --form vectors"
        yield Finding("vectors", "fail" if mend else "ok", f"{good:,} by {made_by} for {notes:,} notes{mend}")
    torn = count("record r LEFT JOIN blob b ON b.file = r.file WHERE b.data IS NULL OR length(b.data) <> r.bytes")
    yield Finding("keys-values", "warn" if torn else "ok", f"{count('record'):,} explicit memories, {torn:,} torn")
