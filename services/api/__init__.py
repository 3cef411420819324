"""The API process: HTTP and WebSocket over the store and the live bus."""

from services.api.app import create_app
from services.api.config import ApiConfig
from services.api.first_user import ensure_admin
from services.api.serving import serve

__all__ = ["ApiConfig", "create_app", "ensure_admin", "serve"]
