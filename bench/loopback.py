"""A small HTTP server on loopback for a bench's stand-ins; must cost far less than what it serves.

One thread and no framework; connections are kept until the client asks otherwise.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

BACKLOG = 512

# Takes method, path, headers (lower-case names) and body; returns what is answered with 200, as JSON.
Answer = Callable[[str, str, dict[str, str], bytes], Awaitable[object]]


async def serve(port: int, answer: Answer) -> None:
    """Serves until the process is ended."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _read_head(reader):
            method, path, headers = head
            content = await reader.readexactly(int(headers.get("content-length", 0)))
            body = json.dumps(await answer(method, path, headers, content)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()
            if headers.get("connection", "").lower() == "close":
                break
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port, backlog=BACKLOG)
    await server.serve_forever()


async def read_status(reader: asyncio.StreamReader) -> int:
    """Returns the status of one answer, read to its end; it must tell its length."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    await reader.readexactly(int(_read_headers(lines)["content-length"]))
    return int(first.split(" ")[1])


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    try:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = first.split(" ")
    return method, path, _read_headers(lines)


def _read_headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in pairs}
