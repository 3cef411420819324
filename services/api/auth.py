"""Who is asking: passwords to tokens, tokens to users. Deny by default: every route but four asks for a user."""

import asyncio
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import jwt
from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer
from prometheus_client import CollectorRegistry, Counter

from services.api.passwords import is_password
from services.api.problems import ApiProblem
from services.api.secrets_folder import signing_key
from services.store import Store

ALGORITHM: Final = "EdDSA"
_ISSUER: Final = "monazite"
_AT_ONCE: Final = 2
_FREE_FAILURES: Final = 5
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0
_REMEMBERED: Final = 10_000
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class User:
    """A user who was recognised, until ``expires`` (seconds since 1970)."""

    name: str
    role: str
    expires: float

    def seconds_left(self) -> float:
        return max(0.0, self.expires - time.time())


@dataclass(slots=True)
class _Failures:
    count: int
    until: float


class Authentication:
    """Logs users in and recognises their tokens. Failures of an account from one address make that pair wait, and nobody else."""

    def __init__(self, store: Store, data: Path, token_lifetime: int, registry: CollectorRegistry) -> None:
        self._store = store
        self._key = signing_key(data)
        self.token_lifetime = token_lifetime
        self._checks = asyncio.Semaphore(_AT_ONCE)
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._failed = Counter("monazite_auth_failures", "Log-ins and tokens that were refused.", ("reason",), registry=registry)

    async def log_in(self, name: str, password: str, address: str) -> str:
        """A signed token for ``token_lifetime`` seconds.

        Raises:
            ApiProblem: 401 for a wrong name or password, the same for both; 429 while this pair has to wait.
        """
        who = (name[:_LONGEST_NAME], address)
        self._check_waiting(who)
        async with self._checks:
            self._check_waiting(who)  # again: guesses that were made at once stand in line here, and those before may have failed
            # Nobody's name is longer or has control characters, and PostgreSQL refuses to be asked for one with a NUL.
            is_name = len(name) <= _LONGEST_NAME and name.isprintable()
            account = await asyncio.to_thread(self._store.account, name) if is_name else None
            right = await asyncio.to_thread(is_password, password, account.password_hash if account else None)
        if account is None or not right:
            self._count_failure(who)
            raise ApiProblem(401, "user or password is wrong", {"WWW-Authenticate": "Bearer"})
        self._failures.pop(who, None)
        now = int(time.time())
        claims = {"iss": _ISSUER, "sub": account.name, "role": account.role, "iat": now, "exp": now + self.token_lifetime, "jti": secrets.token_hex(8)}
        return jwt.encode(claims, self._key, ALGORITHM)

    def _check_waiting(self, who: tuple[str, str]) -> None:
        failures = self._failures.get(who)
        if failures is not None and time.monotonic() < failures.until:
            self._failed.labels("waiting").inc()
            wait = max(1, round(failures.until - time.monotonic()))
            raise ApiProblem(429, f"too many wrong passwords; try again in {wait} s", {"Retry-After": str(wait)})

    def _count_failure(self, who: tuple[str, str]) -> None:
        self._failed.labels("password").inc()
        failures = self._failures.setdefault(who, _Failures(0, 0.0))
        failures.count += 1
        if failures.count >= _FREE_FAILURES:
            failures.until = time.monotonic() + min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (failures.count - _FREE_FAILURES))
        self._failures.move_to_end(who)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def user_of(self, token: str) -> User:
        """Raises ``ApiProblem`` 401 for a token that is not ours, altered or over."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), algorithms=[ALGORITHM], issuer=_ISSUER, options={"require": ["exp", "sub", "iss"]}
            )
            return User(str(claims["sub"]), str(claims.get("role", "")), float(claims["exp"]))
        except jwt.ExpiredSignatureError:
            self._failed.labels("expired").inc()
            raise ApiProblem(401, "the token is over; log in again", {"WWW-Authenticate": "Bearer"}) from None
        except (jwt.InvalidTokenError, ValueError):
            self._failed.labels("token").inc()
            raise ApiProblem(401, "the token is not one of ours; log in at /api/v1/auth/token", {"WWW-Authenticate": "Bearer"}) from None


_bearer = OAuth2PasswordBearer("/api/v1/auth/token", auto_error=False)


async def current_user(request: Request, token: Annotated[str | None, Depends(_bearer)]) -> User:
    """The user of a request. Raises ``ApiProblem`` 401."""
    if token is None:
        raise ApiProblem(401, "log in at /api/v1/auth/token and send the token as 'Authorization: Bearer …'", {"WWW-Authenticate": "Bearer"})
    authentication: Authentication = request.app.state.authentication
    return authentication.user_of(token)


CurrentUser = Annotated[User, Depends(current_user)]

_ENGINEERS: Final = frozenset({"engineer", "admin"})
"""Roles that may change history; ``admin`` is the first user of a site, who is all of its roles until there are others."""


async def current_engineer(user: CurrentUser) -> User:
    """The user of a request that changes history. Raises ``ApiProblem`` 401, or 403 for another role."""
    if user.role not in _ENGINEERS:
        raise ApiProblem(403, f"{user.name} is {user.role or 'of no role'}; this takes an engineer")
    return user


EngineerUser = Annotated[User, Depends(current_engineer)]
