"""One GET on this machine, without a client library: for readiness and for the status line."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

_MOST: Final = 8_000_000


async def http_get(url: str, deadline: float) -> tuple[int, str]:
    """Status and body.

    Raises:
        OSError: no answer within ``deadline`` seconds (``TimeoutError`` is one), or no HTTP.
    """
    parts = urlsplit(url)
    async with asyncio.timeout(deadline):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n".encode())
            answer = bytearray()
            while len(answer) < _MOST and (data := await reader.read(65_536)):
                answer += data
        finally:
            writer.close()
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise OSError(f"{url} does not speak HTTP")
    return int(words[1]), body.decode("utf-8", "replace")
