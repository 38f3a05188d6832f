"""Which session ids and tokens are taken, from whom. Pure decisions; the caller acts on them."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from hyperfocal.auth.signing import decode_base64url, make_session_id, sign, verify
from hyperfocal.auth.tokens import Token
from hyperfocal.config import SessionIds
from hyperfocal.errors import AuthError

__all__ = ("SessionPolicy",)

_MAX_ID_CHARS = 512


def _is_token(text: str) -> bool:
    try:
        return isinstance(orjson.loads(decode_base64url(text.partition(".")[0])), dict)
    except ValueError:
        return False


class SessionPolicy:
    """The rules of ``--session-ids``.

    Args:
        mode: the setting.
        secret: signs session ids.
        secret_given: the secret was configured, not made up for this run.
        new_id: source of fresh, unsigned ids.
        owns: whether the session of an id would live in this process; ``None``: any would. Ids for
            visitors who bring none are such that it does.
    """

    def __init__(
        self,
        mode: SessionIds,
        secret: bytes,
        *,
        secret_given: bool,
        new_id: Callable[[], str] = make_session_id,
        owns: Callable[[str], bool] | None = None,
    ) -> None:
        self._mode = mode
        self._secret = secret
        self._secret_given = secret_given
        self._new_id = new_id
        self._owns = owns

    def new_session_id(self) -> str:
        """An id for a visitor who brings none.

        Raises:
            AuthError: ids come from elsewhere (``external-signed``).
        """
        if self._mode is SessionIds.EXTERNAL_SIGNED:
            raise AuthError("this server takes only sessions with a signed id made elsewhere")
        session_id = self._draw()
        if self._owns is not None:
            while not self._owns(session_id):
                session_id = self._draw()
        return session_id

    def _draw(self) -> str:
        if self._mode is SessionIds.UNSIGNED:
            return self._new_id()
        return sign(self._new_id(), self._secret)

    def _takes_unsigned(self, direct_local: bool) -> bool:
        if self._mode is SessionIds.UNSIGNED:
            return True
        return self._mode is SessionIds.AUTO and not self._secret_given and direct_local

    def may_push(self, setting: bool | None, *, direct_local: bool) -> bool:
        """Whether a client may replace the whole document.

        Args:
            setting: ``--allow-push-doc``; ``None``: the scripts of this machine may, as long as
                no secret says that this server is for others, too.
            direct_local: the request comes straight from this machine, through no proxy.
        """
        return setting if setting is not None else direct_local and not self._secret_given

    def check_session_id(self, session_id: str, *, direct_local: bool) -> None:
        """Whether an id that a page request brings may be used.

        Args:
            session_id: the id.
            direct_local: the request comes straight from this machine, through no proxy.

        Raises:
            AuthError: it may not; the reason says what would be needed.
        """
        if not session_id or len(session_id) > _MAX_ID_CHARS or not session_id.isprintable():
            raise AuthError("the session id is empty, too long or holds control characters")
        if _is_token(session_id):
            # Tokens are signed as ids are, and every page carries one.
            raise AuthError("a token is not a session id")
        if verify(session_id, self._secret) or self._takes_unsigned(direct_local):
            return
        if self._mode is SessionIds.AUTO and not self._secret_given:
            raise AuthError(
                "unsigned session ids are taken only from this machine (see --session-ids)"
            )
        raise AuthError("the session id's signature is missing or wrong")

    def check_token(
        self, token: Token, *, now: float, direct_local: bool, session_exists: bool
    ) -> None:
        """Whether the bearer of a token may connect.

        A correctly signed token may rejoin a session that exists however old the token is; an
        expired one may not make a new session.

        Args:
            token: what the client presented.
            now: seconds since the epoch.
            direct_local: the request comes straight from this machine, through no proxy.
            session_exists: the session that the token names is alive.

        Raises:
            AuthError: it may not connect.
        """
        if not token.signed:
            if token.forged and self._mode is not SessionIds.UNSIGNED:
                raise AuthError("the token's signature is wrong; reload the page")
            if not self._takes_unsigned(direct_local):
                raise AuthError("the token is not signed")
            self.check_session_id(token.session_id, direct_local=direct_local)
        expired = token.expires_at is not None and now > token.expires_at
        if expired and not (session_exists and token.signed):
            raise AuthError("the token has expired; reload the page")
