"""Who may reach a session: tokens, session ids, origins; and who visitors are: providers."""

from hyperfocal.auth.handler import RequestHandler
from hyperfocal.auth.origins import OriginPolicy, ascii_host
from hyperfocal.auth.policy import SessionPolicy
from hyperfocal.auth.provider import (
    Answer,
    AuthProvider,
    SetCookie,
    Visitor,
    relative_url,
    user_name,
)
from hyperfocal.auth.signing import make_session_id, sign, verify
from hyperfocal.auth.tokens import Token, TokenAuthority, dump_payload, named_session

__all__ = (
    "Answer",
    "AuthProvider",
    "OriginPolicy",
    "RequestHandler",
    "SessionPolicy",
    "SetCookie",
    "Token",
    "TokenAuthority",
    "Visitor",
    "ascii_host",
    "dump_payload",
    "make_session_id",
    "named_session",
    "relative_url",
    "sign",
    "user_name",
    "verify",
)
