"""How clients prove who they are, and TLS on both sides: certificates and SCRAM on real servers
that take the role only over TLS and only with its password."""

import os
import pathlib
import shutil
import subprocess

import psycopg
import pytest
from support.cluster import Cluster, binary, router
from support.postgres import as_server_user, free_port

PASSWORD = "an ächte passphrase"
RULES = """hostssl all alice 127.0.0.1/32 scram-sha-256
host all alice 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
"""


class Authority:
    """A certificate authority and one certificate of it, for localhost and 127.0.0.1."""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir()
        folder.chmod(0o755)
        self.folder, self.ca, self.certificate, self.key = folder, *(
            folder / name for name in ("ca.crt", "server.crt", "server.key")
        )
        run = lambda *words: subprocess.run(
            ["openssl", *map(str, words)], cwd=folder, check=True, capture_output=True
        )
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2,
            "-subj", "/CN=authority", "-keyout", "ca.key", "-out", self.ca)  # fmt: skip
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-keyout", self.key, "-out", "server.csr")  # fmt: skip
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run("x509", "-req", "-in", "server.csr", "-CA", self.ca, "-CAkey", "ca.key",
            "-CAcreateserial", "-days", 2, "-extfile", "names",
            "-out", self.certificate)  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)
    return Authority(folder / "good")


def offer_tls(url: str, authority: Authority) -> None:
    """A server that has a certificate and takes alice by TLS and password alone."""
    with psycopg.connect(url, autocommit=True) as server:
        data = pathlib.Path(server.execute("SHOW data_directory").fetchone()[0])
        for source in (authority.certificate, authority.key):
            target = data / source.name
            shutil.copy(source, target)
            target.chmod(0o600)
            if user := as_server_user():
                os.chown(target, user["user"], user["group"])
        (data / "pg_hba.conf").write_text(RULES)
        server.execute("ALTER SYSTEM SET ssl = on")
        server.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="module")
def cluster(authority):
    with Cluster(2) as made:
        with psycopg.connect(made.url(), autocommit=True) as connection:
            verifier = connection.pgconn.encrypt_password(
                PASSWORD.encode(), b"alice", b"scram-sha-256"
            )
            connection.execute(f"CREATE ROLE alice LOGIN PASSWORD '{verifier.decode()}'")
            connection.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
            connection.execute("SELECT create_distributed_table('t', 'k')")
            connection.execute("GRANT ALL ON t TO alice")
            ports = connection.execute("SELECT port FROM shoal.shards").fetchall()
        for (port,) in ports:
            offer_tls(f"postgresql://postgres@127.0.0.1:{port}/app", authority)
        yield made


@pytest.fixture(scope="module")
def port(cluster, authority):
    with router(
        cluster,
        "auth.method=scram-sha-256",
        "client_tls.mode=require",
        f"client_tls.certificate={authority.certificate}",
        f"client_tls.key={authority.key}",
        "server_tls.mode=verify-full",
        f"server_tls.ca={authority.ca}",
    ) as made:
        yield made


def connect(port: int, authority: Authority, **changed) -> psycopg.Connection:
    options = {
        "host": "localhost",
        "hostaddr": "127.0.0.1",
        "port": port,
        "dbname": "app",
        "user": "alice",
        "password": PASSWORD,
        "sslmode": "verify-full",
        "sslrootcert": str(authority.ca),
        "channel_binding": "require",
        "autocommit": True,
        "connect_timeout": 10,
        **changed,
    }
    return psycopg.connect(**options)


def test_password_and_certificates_reach_every_shard(port, authority):
    with connect(port, authority) as connection:
        assert connection.pgconn.ssl_in_use
        connection.execute("INSERT INTO t SELECT i, i FROM generate_series(1, 100) i")
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (100,)
        mine = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        for shard in connection.execute("SELECT name FROM shoal.shards").fetchall():
            connection.execute(f"SET shoal.shard = '{shard[0]}'")
            assert connection.execute(mine).fetchone() == (True,)
            assert connection.execute("SELECT session_user::text").fetchone() == ("alice",)


def test_much_passes_both_ways_by_tls(port, authority):
    with connect(port, authority) as connection:
        connection.execute("DELETE FROM t")
        text = "x" * 1_000_000
        with connection.cursor() as cursor:
            with cursor.copy("COPY t FROM STDIN") as copy:
                for i in range(40):
                    copy.write_row((i, text))
            found = cursor.execute("SELECT k, v FROM t ORDER BY k").fetchall()
        assert [row[0] for row in found] == list(range(40))
        assert all(row[1] == text for row in found)
        with connection.pipeline():
            cursors = [
                connection.execute("SELECT length(v) FROM t WHERE k = %s", (i,)) for i in range(40)
            ]
        assert all(cursor.fetchone() == (1_000_000,) for cursor in cursors)
        connection.execute("DELETE FROM t")


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"password": "wrong"}, 'password authentication failed for user "alice"'),
        ({"user": "nobody"}, 'password authentication failed for user "nobody"'),
        ({"sslmode": "disable", "channel_binding": "prefer"}, "TLS"),
    ],
)
def test_who_cannot_prove_himself_is_turned_away(port, authority, changed, words):
    with pytest.raises(psycopg.OperationalError, match=words):
        connect(port, authority, **changed)


def test_a_client_tells_a_false_router(port, tmp_path):
    other = Authority(tmp_path / "other")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(port, other)


def test_a_router_tells_a_false_server(cluster, authority, tmp_path):
    other = Authority(tmp_path / "other")
    with router(
        cluster, "auth.method=trust", "server_tls.mode=verify-full", f"server_tls.ca={other.ca}"
    ) as port:
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            connect(port, authority, sslmode="disable", channel_binding="prefer")


def test_a_router_without_tls_is_turned_away_by_such_servers(cluster, authority):
    with router(cluster, "auth.method=scram-sha-256", "server_tls.mode=disable") as port:
        with pytest.raises(psycopg.OperationalError, match="pg_hba.conf rejects"):
            connect(port, authority, sslmode="disable", channel_binding="prefer")


def test_a_certificate_that_cannot_be_read_stops_the_start(cluster, tmp_path):
    empty = tmp_path / "empty.crt"
    empty.write_text("")
    done = subprocess.run(
        [binary(), "serve", "--config", cluster.directory / "router.toml",
         "--set", f"listen.port={free_port()}", "--set", "http.port=0",
         "--set", f"client_tls.certificate={empty}", "--set", f"client_tls.key={empty}"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode != 0
    assert str(empty) in done.stdout + done.stderr
