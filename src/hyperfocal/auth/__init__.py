"""Who may reach a session: tokens, session ids, origins."""

from hyperfocal.auth.origins import OriginPolicy
from hyperfocal.auth.policy import SessionPolicy
from hyperfocal.auth.signing import make_session_id, sign, verify
from hyperfocal.auth.tokens import Token, TokenAuthority, dump_payload, named_session

__all__ = (
    "OriginPolicy",
    "SessionPolicy",
    "Token",
    "TokenAuthority",
    "dump_payload",
    "make_session_id",
    "named_session",
    "sign",
    "verify",
)
