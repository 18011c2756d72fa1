"""examples/link-shortener-cpp when a node joins: the ring's share of the ids moves, nothing else,
and every id resolves before, during and after."""

from __future__ import annotations

import re
import signal
import threading
import time

import psycopg
import pytest

from support.nodes import NODES, Nodes
from support.postgres import Server
from support.service import Service

NEW = "5435"
LINKS = 120


@pytest.fixture(scope="module")
def server():
    with Server("nodes") as made:
        yield made


@pytest.fixture
def nodes(server):
    return Nodes(server, [*NODES, NEW])


def rows(nodes: Nodes) -> dict[str, set[str]]:
    """The ids on each node."""
    found = {}
    for name, address in nodes.addresses.items():
        with psycopg.connect(address) as connection:
            found[name] = {r[0] for r in connection.execute("SELECT url_id FROM url_table")}
    return found


def reload(service: Service, times: int) -> None:
    """Sends SIGHUP and waits until the service has said so for the n-th time."""
    service.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while service.log().count("again") < times and time.monotonic() < deadline:
        time.sleep(0.02)
    assert service.log().count("again") == times, service.log()


class Reader:
    """Resolves all links again and again, and posts a new one each time, from a thread."""

    def __init__(self, service: Service, links: dict[str, str]):
        self.service, self.links = service, dict(links)
        self.wrong: list[str] = []
        self.rounds = 0
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def check(self, url_id: str, url: str) -> None:
        answer = self.service.http.get(f"/urls/{url_id}")
        if answer.status_code != 200 or answer.json()["url"] != url:
            self.wrong.append(f"{url_id}: {answer.text}")

    def run(self) -> None:
        while not self.end.is_set():
            for url_id, url in list(self.links.items()):
                self.check(url_id, url)
            url = f"https://example.net/{self.rounds}"
            answer = self.service.http.post("/urls", params={"full_url": url}).json()
            self.links[answer["url_id"]] = url
            self.rounds += 1

    def wait_for_a_round(self) -> None:
        goal, deadline = self.rounds + 2, time.monotonic() + 30
        while self.rounds < goal and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.rounds >= goal, "the reader hangs"

    def __enter__(self) -> "Reader":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.end.set()
        self.thread.join()


def test_a_node_joins_and_every_id_resolves_all_the_time(nodes):
    with nodes.service() as service:
        links = {}
        for i in range(LINKS):
            url = f"https://example.org/grow/{i}"
            links[service.http.post("/urls", params={"full_url": url}).json()["url_id"]] = url
        before = rows(nodes)

        status, lines = nodes.command("plan", NEW)
        assert status == 0
        moves = [re.fullmatch(r"(\S{5}) (\d+) -> (\d+)", line).groups() for line in lines[:-1]]
        assert lines[-1].startswith(f"{len(moves)} of {LINKS} ids move (")
        assert 0.15 * LINKS < len(moves) < 0.35 * LINKS  # the ring gives the fourth node 24.5 %
        assert all(new == NEW and url_id in before[old] for url_id, old, new in moves)
        assert rows(nodes) == before

        with Reader(service, links) as reader:
            nodes.write(NODES, joining=NEW)
            reload(service, 1)
            status, lines = nodes.command("copy")
            assert status == 0 and lines == [f"{len(moves)} ids are on their owner's node"]
            reader.wait_for_a_round()
            assert nodes.command("clean")[0] == 1  # not while it is only joining

            nodes.write([*NODES, NEW])
            reload(service, 2)
            reader.wait_for_a_round()
            assert nodes.command("copy")[0] == 0
            reader.wait_for_a_round()
            status, lines = nodes.command("clean")
            assert status == 0 and re.fullmatch(r"\d+ old copies deleted", lines[0])
            reader.wait_for_a_round()
        assert reader.wrong == []

        after = rows(nodes)
        moved = {url_id for url_id, _, _ in moves}
        assert moved <= after[NEW]
        for name in NODES:
            assert before[name] - moved <= after[name] and not after[name] & after[NEW]
        assert sum(len(ids) for ids in after.values()) == len(reader.links)
        for url_id in moved:
            assert service.http.get(f"/urls/{url_id}").json()["server"] == NEW
        assert nodes.command("plan")[1] == [f"0 of {len(reader.links)} ids move (0.0 %), the others stay"]


def test_an_id_that_is_taken_on_the_new_node_is_reported_and_kept(nodes):
    with nodes.service() as service:
        for i in range(40):
            service.http.post("/urls", params={"full_url": f"https://example.org/grow/{i}"})
    url_id = nodes.command("plan", NEW)[1][0].split()[0]
    with psycopg.connect(nodes.addresses[NEW], autocommit=True) as connection:
        connection.execute("INSERT INTO url_table (url_id, url) VALUES (%s, 'other')", (url_id,))
    nodes.write([*NODES, NEW])
    status, lines = nodes.command("copy")
    assert status == 1 and url_id in lines[0]
    nodes.command("clean")
    assert sum(url_id in ids for ids in rows(nodes).values()) == 2


def test_mistakes_in_the_file_are_told_and_the_service_goes_on(nodes):
    with nodes.service() as service:
        nodes.file.write_text("5432\n")
        service.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while "no address" not in service.log() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "going on as before" in service.log()
        assert service.http.get("/urls/aaaaa").status_code == 404
        assert nodes.command("plan") == (1, [f"link-shortener: {nodes.file}: no address in: 5432"])
        assert service.stop() == 0
    assert nodes.command()[0] == 2


def test_a_node_that_is_down_is_503_and_comes_back(nodes):
    with nodes.service() as service:
        url = "https://example.org/down"
        answer = service.http.post("/urls", params={"full_url": url}).json()
        nodes.server.stop()
        assert service.http.get(f"/urls/{answer['url_id']}").status_code == 503
        nodes.server.start()
        assert service.http.get(f"/urls/{answer['url_id']}").json() == answer
