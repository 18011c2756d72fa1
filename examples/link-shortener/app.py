"""A link shortener over many PostgreSQL servers that knows of one.

    DATABASE_URL=postgresql://app@127.0.0.1:6432/app python app.py

    POST /urls?full_url=https://example.org/    {"url_id": "...", "url": "...", "server": "5433"}
    GET  /urls/{url_id}                         the same, or 404
"""

import base64
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import asyncpg
import fastapi
import uvicorn

ID_LENGTH = 5


def candidates(url: str) -> Iterator[str]:
    """Every id that this URL may get, in order; the same ones each time.

    The first is the first five characters of its SHA-256 in base64, in the alphabet for URLs: `/`
    and `+` would not survive in a path. 30 bits collide soon (half of all sets of 38,600 URLs hold
    a pair), so the next five characters follow, and then those of the digest's own digest.
    """
    digest = url.encode()
    while True:
        digest = hashlib.sha256(digest).digest()
        text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        for start in range(0, len(text) - ID_LENGTH + 1, ID_LENGTH):
            yield text[start : start + ID_LENGTH]


@contextlib.asynccontextmanager
async def lifespan(app: fastapi.FastAPI) -> AsyncIterator[None]:
    # One pool for the process. Every request borrows a connection and cannot keep it.
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=10) as pool:
        app.state.pool = pool
        yield


async def connection(request: fastapi.Request) -> AsyncIterator[asyncpg.Connection]:
    async with request.app.state.pool.acquire() as borrowed:
        yield borrowed


app = fastapi.FastAPI(title="Link shortener", lifespan=lifespan)
Database = Annotated[asyncpg.Connection, fastapi.Depends(connection)]
# PostgreSQL's text holds every character but NUL.
FullUrl = Annotated[str, fastapi.Query(min_length=1, pattern=r"^[^\x00]+$")]


async def answer(db: asyncpg.Connection, url_id: str, url: str) -> dict[str, str]:
    server = await db.fetchval("SELECT shard FROM shoal.where('links', $1)", url_id)
    return {"url_id": url_id, "url": url, "server": server}


@app.post("/urls")
async def shorten(full_url: FullUrl, db: Database) -> dict[str, str]:
    # The first candidate that is free or already ours. Nobody gives an id back, so everybody who
    # posts this URL, now or later, passes the same taken ones and ends at the same id.
    ids = candidates(full_url)
    stored = None
    while stored != full_url:
        url_id = next(ids)
        await db.execute(
            "INSERT INTO url_table (url_id, url) VALUES ($1, $2) ON CONFLICT (url_id) DO NOTHING",
            url_id,
            full_url,
        )
        stored = await db.fetchval("SELECT url FROM url_table WHERE url_id = $1", url_id)
    return await answer(db, url_id, full_url)


@app.get("/urls/{url_id}")
async def resolve(url_id: str, db: Database) -> dict[str, str]:
    url = None
    if len(url_id) == ID_LENGTH and url_id.isascii() and url_id.isprintable():
        url = await db.fetchval("SELECT url FROM url_table WHERE url_id = $1", url_id)
    if url is None:
        raise fastapi.HTTPException(404, f"there is no URL with the id {url_id!r}")
    return await answer(db, url_id, url)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "5001")))
