"""Logging in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel

from services.api.auth import Authentication

router = APIRouter(tags=["auth"])


class Token(BaseModel):
    access_token: str
    token_type: str
    expires_in: int


@router.post("/auth/token")
async def log_in(request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    """A token for a user name and a password (OAuth2 password form)."""
    authentication: Authentication = request.app.state.authentication
    address = request.client.host if request.client else ""
    token = await authentication.log_in(form.username, form.password, address)
    return Token(access_token=token, token_type="bearer", expires_in=authentication.token_lifetime)  # noqa: S106 - the OAuth2 word for the kind of token
