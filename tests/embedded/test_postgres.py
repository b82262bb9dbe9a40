"""The embedded PostgreSQL: it is there when it is needed, gone when it is not, and heals after any kill."""

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from chatbot.embedded.locks import open_lock, try_lock, wait_for_lock
from chatbot.embedded.postgres.cluster import Cluster, installation
from tests.support.embedded_user import EmbeddedUser

QUICK = {"EMBEDDED_POSTGRES_SETTINGS": {"fsync": "off"}}
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can run PostgreSQL as another account")


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A short path whose cluster exists; its tests leave it stopped."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        with EmbeddedUser(Path(folder, "var"), settings=QUICK) as user:
            user.sql("CREATE TABLE kept (word text)")
            user.sql("INSERT INTO kept VALUES ('kept')")
        yield Path(folder, "var")


@pytest.fixture
def var(shared: Path) -> Iterator[Path]:
    """The folder of a stopped cluster in which the table `kept` holds the word `kept`."""
    wait_until_gone(shared)
    yield shared
    wait_until_gone(shared)


def wait_until_gone(var: Path) -> None:
    """Return once no keeper runs."""
    lock = open_lock(var / "postgres/keeper.lock")
    try:
        assert wait_for_lock(lock, exclusive=True, seconds=60)
    finally:
        os.close(lock)


def postmaster(var: Path) -> int:
    """The process id of the server's first process."""
    return int((var / "postgres/data/postmaster.pid").read_text().split()[0])


def keeper(var: Path) -> int:
    """The process id of the keeper."""
    return int(json.loads((var / "postgres/state.json").read_text())["keeper"])


def wait_for_end(pid: int) -> None:
    """Return once a process, which need not be a child, has ended."""
    wait_for(lambda: not Path("/proc", str(pid), "exe").exists())


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def modes(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of a folder and of all above it."""
    return {path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in (folder, *folder.parents)}


def test_the_first_user_starts_it_and_the_last_one_ends_it(var: Path) -> None:
    with EmbeddedUser(var) as first:
        assert first.sql("SELECT word FROM kept") == "kept"
        server = postmaster(var)
        with EmbeddedUser(var) as second:
            second.sql("SELECT 1")
            first.leave()
            assert second.sql("SELECT word FROM kept") == "kept"
            assert postmaster(var) == server
    wait_until_gone(var)
    assert not (var / "postgres/data/postmaster.pid").exists()


def test_many_that_begin_at_once_share_one_server(var: Path) -> None:
    users = [EmbeddedUser(var) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        started = set(threads.map(lambda user: user.sql("SELECT pg_postmaster_start_time()::text"), users))
    for user in users:
        user.leave()
    assert len(started) == 1


def test_the_role_of_the_application_is_no_superuser_and_owns_its_database(var: Path) -> None:
    with EmbeddedUser(var) as user:
        assert user.sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert user.sql("SELECT pg_get_userbyid(datdba)::text = current_user FROM pg_database WHERE datname = 'chat'")
        user.sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        user.sql("CREATE EXTENSION IF NOT EXISTS unaccent")


def test_it_listens_on_no_port_and_lets_nobody_else_in(var: Path) -> None:
    with EmbeddedUser(var) as user:
        assert user.sql("SELECT setting FROM pg_settings WHERE name = 'listen_addresses'") == ""
        assert stat.S_IMODE((var / "postgres/socket").stat().st_mode) == 0o700
        assert stat.S_IMODE((var / "postgres/data").stat().st_mode) == 0o700


def test_test_databases_can_be_made(var: Path) -> None:
    with EmbeddedUser(var) as user:
        assert user.ask("try_test_database") == ["test_chat", "test_chat", "chat"]


def test_it_works_behind_a_pool_and_from_dbshell(var: Path) -> None:
    with EmbeddedUser(var, settings={"pool": True}) as user:
        assert user.sql("SELECT word FROM kept") == "kept"
        assert user.ask("shell", "SELECT word FROM kept") == "kept"


def test_a_killed_user_does_not_keep_it_running(var: Path) -> None:
    with EmbeddedUser(var) as user:
        user.sql("SELECT 1")
        user.kill()
    wait_until_gone(var)


def test_a_fork_of_a_user_keeps_it_running(var: Path) -> None:
    with EmbeddedUser(var) as user:
        user.sql("SELECT 1")
        child = user.ask("fork")
        user.kill()
    users = open_lock(var / "postgres/users.lock")
    assert not try_lock(users, exclusive=True)
    os.close(users)
    os.kill(child, signal.SIGKILL)
    wait_until_gone(var)


def test_the_next_user_takes_over_the_server_of_a_killed_keeper(var: Path) -> None:
    with EmbeddedUser(var) as first:
        session = first.sql("SELECT pg_backend_pid()")
        server, killed = postmaster(var), keeper(var)
        os.kill(killed, signal.SIGKILL)
        wait_for_end(killed)
        with EmbeddedUser(var) as second:
            assert second.sql("SELECT word FROM kept") == "kept"
            assert postmaster(var) == server
            assert keeper(var) != killed
            # Nobody's connection was cut.
            assert first.sql("SELECT pg_backend_pid()") == session


def test_a_killed_server_is_started_again_under_its_users(var: Path) -> None:
    with EmbeddedUser(var) as user:
        user.sql("SELECT 1")
        killed = postmaster(var)
        os.kill(killed, signal.SIGKILL)
        wait_for_end(killed)
        wait_for(lambda: (var / "postgres/state.json").exists() and postmaster(var) != killed)
        assert user.sql("SELECT word FROM kept LIMIT 1") == "kept"


def test_killed_altogether_it_starts_though_another_process_has_its_number(var: Path) -> None:
    with EmbeddedUser(var) as user:
        user.sql("INSERT INTO kept VALUES ('kept')")
        server = postmaster(var)
        for pid in (keeper(var), server):
            os.kill(pid, signal.SIGKILL)
            wait_for_end(pid)
        user.kill()
    owner = (var / "postgres/data").stat().st_uid
    with subprocess.Popen(["sleep", "600"], user=owner if ROOT else None) as other:
        for name in ("data/postmaster.pid", "socket/.s.PGSQL.5432.lock"):
            file = var / "postgres" / name
            file.write_text(file.read_text().replace(str(server), str(other.pid)))
        with EmbeddedUser(var) as next_user:
            assert next_user.sql("SELECT word FROM kept LIMIT 1") == "kept"
        other.kill()


def test_data_of_another_version_is_left_alone_with_a_sentence(var: Path) -> None:
    version = var / "postgres/data/PG_VERSION"
    ours = version.read_text()
    version.write_text("9\n")
    try:
        with EmbeddedUser(var) as user, pytest.raises(RuntimeError) as raised:
            user.sql("SELECT 1")
    finally:
        version.write_text(ours)
    for part in ("is of PostgreSQL 9", str(var / "postgres/log"), "DATABASE_URL"):
        assert part in str(raised.value)


def test_a_server_that_cannot_start_says_where_its_log_is(var: Path) -> None:
    wrong = {"EMBEDDED_POSTGRES_SETTINGS": {"max_connections": "none"}}
    with EmbeddedUser(var, settings=wrong) as user, pytest.raises(RuntimeError) as raised:
        user.sql("SELECT 1")
    for part in ("OperationalError", "max_connections", str(var / "postgres/log"), "DATABASE_URL"):
        assert part in str(raised.value)


def test_a_long_path_has_its_socket_in_the_temporary_folder(tmp_path: Path) -> None:
    var = tmp_path / ("long " * 20) / "var"
    var.mkdir(parents=True)
    with EmbeddedUser(var, settings=QUICK) as user:
        assert user.sql("SELECT 1") == 1
        state = json.loads((var / "postgres/state.json").read_text())
        folder = Path(state["running"]["host"])
        assert folder.parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    wait_until_gone(var)
    folder.rmdir()


@needs_root
def test_an_ordinary_user_runs_it_as_that_user() -> None:
    account = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        os.chown(home, account.pw_uid, account.pw_gid)
        before = modes(Path(home))
        var = Path(home, "checkout/var")
        with EmbeddedUser(var, account=(account.pw_uid, account.pw_gid), settings=QUICK) as user:
            assert user.sql("SELECT 1") == 1
            assert (var / "postgres/data").stat().st_uid == account.pw_uid
        wait_until_gone(var)
        assert modes(Path(home)) == before


@needs_root
def test_root_in_a_private_home_leaves_every_folder_above_as_it_is() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        checkout = Path(home, "checkout")
        checkout.mkdir()
        before = modes(checkout)
        assert stat.S_IMODE(before[Path(home)][0]) == 0o700
        with EmbeddedUser(checkout / "var", settings=QUICK) as user:
            assert user.sql("SELECT 1") == 1
            assert (checkout / "var/postgres/data").stat().st_uid != 0
            with pytest.raises(RuntimeError, match="permission denied"):
                user.sql("SELECT pg_read_file('/etc/shadow')")
        wait_until_gone(checkout / "var")
        assert modes(checkout) == before


@needs_root
def test_root_can_use_programs_in_a_private_home(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        packages = Path(home, "packages")
        shutil.copytree(
            installation(), packages / "embedded_postgres/pginstall", ignore=shutil.ignore_patterns("include")
        )
        packages.joinpath("embedded_postgres.libs").symlink_to(installation().parents[1] / "embedded_postgres.libs")
        (packages / "embedded_postgres/__init__.py").touch()
        monkeypatch.syspath_prepend(str(packages))
        assert installation().is_relative_to(home)
        before = modes(packages)
        directory = Path(home, "postgres")
        directory.mkdir()
        cluster = Cluster(directory, {"fsync": "off"})
        try:
            server = cluster.start()
            with psycopg.connect(host=server["host"], port=server["port"], user="postgres", dbname="postgres") as found:
                assert found.execute("SELECT 1").fetchone() == (1,)
        finally:
            cluster.stop()
        assert modes(packages) == before
