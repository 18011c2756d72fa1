"""The link shorteners of examples/ as their users see them: link-shortener on a cluster, and on
plain PostgreSQL, which must give the same answers but for the server's name; and
link-shortener-cpp, which chooses its nodes itself."""

from __future__ import annotations

import asyncio
import base64
import bisect
import hashlib
import pathlib
import sys

import httpx
import psycopg
import pytest

from support.cluster import Cluster
from support.nodes import NODES, Nodes
from support.postgres import Server
from support.service import Service

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples/link-shortener"
PLAIN = """
CREATE TABLE url_table (id bigint GENERATED ALWAYS AS IDENTITY, url text NOT NULL,
                        url_id varchar(5) NOT NULL UNIQUE, PRIMARY KEY (url_id, id));
CREATE SCHEMA shoal;
CREATE FUNCTION shoal.where(text, text, OUT shard text) LANGUAGE sql AS $$ SELECT 'plain' $$;
"""


def digest(url: str) -> str:
    return base64.b64encode(hashlib.sha256(url.encode()).digest()).decode()


def ring_owner(key: str) -> str:
    """The ring of uhashring: 160 points of each node by MD5; the next point after the key's."""

    def place(text: str) -> int:
        return int.from_bytes(hashlib.md5(text.encode()).digest(), "big")

    points = sorted((place(f"{node}-{i}"), node) for node in NODES for i in range(160))
    return points[bisect.bisect_right(points, (place(key), "~")) % len(points)][1]


@pytest.fixture(scope="module")
def cluster():
    with Cluster(3, ["--names", ",".join(NODES)]) as made:
        with psycopg.connect(made.url(), autocommit=True) as connection:
            connection.execute((EXAMPLE / "schema.sql").read_text())
        yield made


@pytest.fixture(scope="module", params=["shoal", "postgresql", "libshoal"])
def service(request):
    """The running program; `shards` has the address of each server's database by its name."""
    command = [sys.executable, "app.py"]
    if request.param == "shoal":
        cluster = request.getfixturevalue("cluster")
        with Service(command, EXAMPLE, DATABASE_URL=cluster.url()) as made:
            made.shards = {name: cluster.url(name) for name in NODES}
            yield made
    elif request.param == "postgresql":
        with Server("links") as server:
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute(PLAIN)
            with Service(command, EXAMPLE, DATABASE_URL=server.url()) as made:
                made.shards = {"plain": server.url()}
                yield made
    else:
        with Server("nodes") as server:
            nodes = Nodes(server, NODES)
            with nodes.service() as made:
                made.shards = nodes.addresses
                yield made


def post(service: Service, url: str) -> dict:
    answer = service.http.post("/urls", params={"full_url": url})
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows(service: Service, url: str) -> list[tuple[str, str]]:
    """Where the URL is stored: (shard, url_id), read past the router."""
    found = []
    for name, shard in service.shards.items():
        with psycopg.connect(shard) as connection:
            query = "SELECT url_id FROM url_table WHERE url = %s"
            found += [(name, url_id) for (url_id,) in connection.execute(query, (url,))]
    return found


def test_an_id_is_the_first_five_characters_of_the_digest_in_base64(service):
    for url, url_id, server in [
        ("https://www.google.com/", "0OGWo", "5433"),
        ("https://www.postgresql.org/", "cSZsg", "5433"),
        ("https://www.dev.to/", "Vlk97", "5432"),
    ]:
        answer = post(service, url)
        assert (answer["url_id"], answer["url"]) == (url_id, url)
        assert answer["server"] in (server, "plain")


def test_the_server_is_the_rings_owner_and_holds_the_row(service):
    seen = set()
    for i in range(30):
        url = f"https://example.org/server/{i}"
        answer = post(service, url)
        assert service.http.get(f"/urls/{answer['url_id']}").json() == answer
        assert rows(service, url) == [(answer["server"], answer["url_id"])]
        assert answer["server"] in (ring_owner(answer["url_id"]), "plain")
        seen.add(answer["server"])
    assert seen == set(service.shards)


def test_two_urls_with_the_same_five_characters_both_resolve(service):
    urls = ["https://example.org/6317", "https://example.org/17631"]
    assert digest(urls[0])[:5] == digest(urls[1])[:5] == "IsWCe"
    answers = [post(service, url) for url in urls]
    assert answers[0]["url_id"] == "IsWCe" != answers[1]["url_id"]
    for url, answer in zip(urls, answers):
        assert service.http.get(f"/urls/{answer['url_id']}").json() == answer
        assert answer["url"] == url and post(service, url) == answer


def test_no_id_has_characters_that_a_path_does_not_carry(service):
    urls = [f"https://example.org/path/{i}" for i in range(200)]
    awkward = [url for url in urls if set("+/") & set(digest(url)[:5])]
    assert len(awkward) > 10
    for url in awkward:
        url_id = post(service, url)["url_id"]
        assert not set("+/") & set(url_id) and len(url_id) == 5
        assert service.http.get(f"/urls/{url_id}").json()["url"] == url


def test_the_same_url_is_stored_once(service):
    url = "https://example.org/twice?a=1&b=ü#fragment"
    assert post(service, url) == post(service, url)
    assert len(rows(service, url)) == 1


def test_an_unknown_id_is_404_and_the_message_names_it(service):
    for url_id in ("aaaaa", "b", "sixsix", "ünïcö"):
        answer = service.http.get(f"/urls/{url_id}")
        assert answer.status_code == 404 and url_id in answer.json()["detail"]
    assert service.http.get("/urls/%00abcd").status_code == 404
    assert service.http.post("/urls").status_code == 422
    assert service.http.post("/urls", params={"full_url": "a\0b"}).status_code == 422


def test_posts_at_the_same_moment_agree(service):
    same = ["https://example.org/at-once"] * 20
    pair = [f"https://example.com/{n}" for n in colliding_pair("https://example.com/")] * 5

    async def all_at_once(urls: list[str]) -> list[dict]:
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as http:
            posts = [http.post("/urls", params={"full_url": url}) for url in urls]
            return [answer.json() for answer in await asyncio.gather(*posts)]

    answers = asyncio.run(all_at_once(same))
    assert len({tuple(answer.items()) for answer in answers}) == 1 == len(rows(service, same[0]))
    answers = asyncio.run(all_at_once(pair))
    assert len({answer["url_id"] for answer in answers}) == 2
    for url, answer in zip(pair, answers):
        assert answer["url"] == url and len(rows(service, url)) == 1
        assert service.http.get(f"/urls/{answer['url_id']}").json() == answer


def colliding_pair(prefix: str) -> tuple[int, int]:
    """The first two numbers after the prefix whose ids collide."""
    seen: dict[bytes, int] = {}
    number = 0
    while True:
        url = f"{prefix}{number}".encode()
        start = int.from_bytes(hashlib.sha256(url).digest()[:4], "big") >> 2  # 30 bits
        if start in seen:
            return seen[start], number
        seen[start] = number
        number += 1


def test_requests_leak_no_connection(service):
    def open_files() -> int:
        return len(list(pathlib.Path(f"/proc/{service.process.pid}/fd").iterdir()))

    post(service, "https://example.org/leak")
    before = open_files()
    for i in range(40):
        answer = post(service, f"https://example.org/leak/{i}")
        service.http.get(f"/urls/{answer['url_id']}")
        service.http.get("/urls/aaaaa")
        service.http.post("/urls")
    assert open_files() <= before
