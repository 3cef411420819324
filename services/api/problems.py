"""Every error is a problem document (RFC 9457) that says what was wrong and how to mend it."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from plant.errors import BusUnavailable, StoreUnavailable
from services.retrieval import BadCursor

_log = logging.getLogger(__name__)


class ApiProblem(Exception):
    """Answered as a problem document."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.detail = detail
        self.headers = headers
        super().__init__(detail)


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """The document itself; ``type`` is about:blank, so that ``title`` is the status phrase."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, "application/problem+json")


def add_problem_handlers(app: FastAPI) -> None:
    """Makes a problem document of everything that routes raise."""

    @app.exception_handler(ApiProblem)
    async def on_problem(request: Request, error: ApiProblem) -> JSONResponse:
        return problem_response(error.status, error.detail, error.headers)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(error.status_code, _detail(request, error), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        rows = [{"field": ".".join(map(str, row["loc"])), "problem": str(row["msg"])} for row in error.errors()]
        detail = "; ".join(f"{row['field']}: {row['problem']}" for row in rows) or "the request does not fit"
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=rows)

    @app.exception_handler(BadCursor)
    async def on_cursor(request: Request, error: BadCursor) -> JSONResponse:
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(Exception)
    async def on_fault(request: Request, error: Exception) -> JSONResponse:
        """A fault of ours: the server logs it with its traceback, the client learns no more than that."""
        return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault in this service; it is in its log")

    @app.exception_handler(StoreUnavailable)
    async def on_store(request: Request, error: StoreUnavailable) -> JSONResponse:
        _log.warning("%s %s: the store is away: %s", request.method, request.url.path, error)
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "the store is away; live values go on, try history again in some seconds", {"Retry-After": "5"})

    @app.exception_handler(BusUnavailable)
    async def on_bus(request: Request, error: BusUnavailable) -> JSONResponse:
        _log.warning("%s %s: %s", request.method, request.url.path, error)
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "the service behind this does not answer; try again in some seconds", {"Retry-After": "5"})


def _detail(request: Request, error: HTTPException) -> str:
    """The framework says no more than the status phrase where there is no such path or method."""
    asked = request.url.path[:100]
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return f"there is nothing at {asked!r}; the paths are those of the OpenAPI document, under /api/v1"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{asked!r} does not take {request.method[:20]}; it takes {(error.headers or {}).get('Allow', 'other methods')}"
        case _:
            return str(error.detail)
