"""What the API is told by whoever wires it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """``data`` holds the signing key. ``token_lifetime`` is seconds. ``serve_docs`` shows /docs and the OpenAPI document to anyone."""

    data: Path
    token_lifetime: int = 600
    serve_docs: bool = True
    longest_body: int = 1_000_000
