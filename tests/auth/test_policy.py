"""The rules of --session-ids, as a table."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from hyperfocal.auth import SessionPolicy, Token, TokenAuthority, sign, verify
from hyperfocal.config import SessionIds
from hyperfocal.errors import AuthError
from hyperfocal.testing import ManualClock

SECRET = b"a secret of many bytes"
NOW = 1_000_000.0
AUTO, UNSIGNED, SIGNED, EXTERNAL = (
    SessionIds.AUTO,
    SessionIds.UNSIGNED,
    SessionIds.SIGNED,
    SessionIds.EXTERNAL_SIGNED,
)

#: mode, a secret is configured, the request is direct and local: is an unsigned id or token taken?
TAKES_UNSIGNED = {
    (AUTO, False, False): False,
    (AUTO, False, True): True,
    (AUTO, True, False): False,
    (AUTO, True, True): False,
    (UNSIGNED, False, False): True,
    (UNSIGNED, False, True): True,
    (UNSIGNED, True, False): True,
    (UNSIGNED, True, True): True,
    (SIGNED, False, False): False,
    (SIGNED, False, True): False,
    (SIGNED, True, False): False,
    (SIGNED, True, True): False,
    (EXTERNAL, False, False): False,
    (EXTERNAL, False, True): False,
    (EXTERNAL, True, False): False,
    (EXTERNAL, True, True): False,
}
SITUATIONS = list(TAKES_UNSIGNED)


def name(value: object) -> str:
    return str(value)


def policy(mode: SessionIds, *, secret_given: bool = True) -> SessionPolicy:
    return SessionPolicy(mode, SECRET, secret_given=secret_given)


def takes_id(rules: SessionPolicy, session_id: str, *, direct_local: bool) -> bool:
    try:
        rules.check_session_id(session_id, direct_local=direct_local)
    except AuthError as error:
        assert error.close_code == 1008
        assert error.reason
        return False
    return True


def takes_token(
    rules: SessionPolicy, token: Token, *, direct_local: bool, session_exists: bool
) -> bool:
    try:
        rules.check_token(token, now=NOW, direct_local=direct_local, session_exists=session_exists)
    except AuthError as error:
        assert error.close_code == 1008
        assert error.reason
        return False
    return True


def test_the_table_covers_every_mode_and_situation() -> None:
    assert set(SITUATIONS) == set(product(SessionIds, [False, True], [False, True]))


# --- ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "secret_given", "direct_local"), SITUATIONS, ids=name)
def test_an_id_with_our_signature_is_always_taken(
    mode: SessionIds, secret_given: bool, direct_local: bool
) -> None:
    rules = policy(mode, secret_given=secret_given)
    assert takes_id(rules, sign("an-id", SECRET), direct_local=direct_local)


@pytest.mark.parametrize("session_id", ["an-id", sign("an-id", b"another secret"), "an.id", "."])
@pytest.mark.parametrize(("mode", "secret_given", "direct_local"), SITUATIONS, ids=name)
def test_an_id_without_it_is_taken_only_where_the_table_says_so(
    mode: SessionIds, secret_given: bool, direct_local: bool, session_id: str
) -> None:
    rules = policy(mode, secret_given=secret_given)
    taken = takes_id(rules, session_id, direct_local=direct_local)
    assert taken == TAKES_UNSIGNED[mode, secret_given, direct_local]


@pytest.mark.parametrize("mode", list(SessionIds))
@pytest.mark.parametrize(
    "session_id",
    [
        "",
        "x" * 513,
        "a\nb",
        "a\r\nSet-Cookie: x",
        "a\x00",
        "\x7f",
        "\ud800",
        sign("x" * 500, SECRET),
    ],
    ids=lambda value: ascii(value[:12]),
)
def test_an_id_that_is_empty_too_long_or_unprintable_is_never_taken(
    mode: SessionIds, session_id: str
) -> None:
    rules = policy(mode, secret_given=False)
    assert not takes_id(rules, session_id, direct_local=True)


def test_an_id_of_512_characters_is_taken() -> None:
    assert takes_id(policy(UNSIGNED), "x" * 512, direct_local=False)


def test_the_reason_says_what_would_be_needed() -> None:
    with pytest.raises(AuthError, match="--session-ids"):
        policy(AUTO, secret_given=False).check_session_id("an-id", direct_local=False)
    with pytest.raises(AuthError, match="signature"):
        policy(SIGNED).check_session_id("an-id", direct_local=True)


# --- new ids --------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret_given", [False, True])
@pytest.mark.parametrize("mode", [AUTO, SIGNED])
def test_new_ids_are_signed(mode: SessionIds, secret_given: bool) -> None:
    rules = policy(mode, secret_given=secret_given)
    one, other = rules.new_session_id(), rules.new_session_id()
    assert one != other
    assert verify(one, SECRET)
    assert takes_id(rules, one, direct_local=False)


def test_new_ids_of_an_unsigned_server_bear_no_signature() -> None:
    rules = SessionPolicy(UNSIGNED, SECRET, secret_given=True, new_id=lambda: "fresh")
    assert rules.new_session_id() == "fresh"


def test_new_ids_come_from_the_given_source() -> None:
    rules = SessionPolicy(SIGNED, SECRET, secret_given=True, new_id=lambda: "fresh")
    assert rules.new_session_id() == sign("fresh", SECRET)


def test_a_server_whose_ids_are_made_elsewhere_makes_none() -> None:
    with pytest.raises(AuthError):
        policy(EXTERNAL).new_session_id()


def test_an_id_may_start_with_the_letters_that_tokens_start_with() -> None:
    # One random id in a thousand does: it reads as base64url of something that begins with "{".
    rules = SessionPolicy(UNSIGNED, SECRET, secret_given=True)
    for start in ("ew", "ex", "ey", "ez", "eyJz"):
        rules.check_session_id(start + "0" * 42, direct_local=True)


# --- tokens ---------------------------------------------------------------------------------------


def token(kind: str, *, expired: bool = False, session_id: str = "an-id") -> Token:
    return Token(
        session_id=session_id,
        expires_at=NOW - 0.001 if expired else NOW,
        signed=kind == "signed",
        forged=kind == "forged",
        page="page",
    )


EXISTS = pytest.mark.parametrize("session_exists", [False, True], ids=["new", "exists"])


@EXISTS
@pytest.mark.parametrize(("mode", "secret_given", "direct_local"), SITUATIONS, ids=name)
def test_a_signed_token_is_taken_everywhere_until_it_expires(
    mode: SessionIds, secret_given: bool, direct_local: bool, session_exists: bool
) -> None:
    rules = policy(mode, secret_given=secret_given)
    assert takes_token(
        rules, token("signed"), direct_local=direct_local, session_exists=session_exists
    )


@EXISTS
@pytest.mark.parametrize(("mode", "secret_given", "direct_local"), SITUATIONS, ids=name)
def test_an_expired_signed_token_may_rejoin_a_session_but_make_none(
    mode: SessionIds, secret_given: bool, direct_local: bool, session_exists: bool
) -> None:
    rules = policy(mode, secret_given=secret_given)
    old = token("signed", expired=True)
    taken = takes_token(rules, old, direct_local=direct_local, session_exists=session_exists)
    assert taken == session_exists


@EXISTS
@pytest.mark.parametrize(("mode", "secret_given", "direct_local"), SITUATIONS, ids=name)
def test_an_unsigned_token_is_taken_only_where_the_table_says_so(
    mode: SessionIds, secret_given: bool, direct_local: bool, session_exists: bool
) -> None:
    rules = policy(mode, secret_given=secret_given)
    for session_id in ("an-id", sign("an-id", SECRET)):
        unsigned = token("unsigned", session_id=session_id)
        taken = takes_token(
            rules, unsigned, direct_local=direct_local, session_exists=session_exists
        )
        assert taken == TAKES_UNSIGNED[mode, secret_given, direct_local]


@EXISTS
@pytest.mark.parametrize(("mode", "secret_given", "direct_local"), SITUATIONS, ids=name)
def test_a_forged_token_is_taken_only_where_nothing_is_signed(
    mode: SessionIds, secret_given: bool, direct_local: bool, session_exists: bool
) -> None:
    rules = policy(mode, secret_given=secret_given)
    forged = token("forged")
    taken = takes_token(rules, forged, direct_local=direct_local, session_exists=session_exists)
    assert taken == (mode is UNSIGNED)


@EXISTS
@pytest.mark.parametrize("kind", ["unsigned", "forged"])
@pytest.mark.parametrize(("mode", "secret_given", "direct_local"), SITUATIONS, ids=name)
def test_an_expired_token_without_our_signature_is_taken_nowhere(
    mode: SessionIds, secret_given: bool, direct_local: bool, kind: str, session_exists: bool
) -> None:
    rules = policy(mode, secret_given=secret_given)
    old = token(kind, expired=True)
    assert not takes_token(rules, old, direct_local=direct_local, session_exists=session_exists)


@pytest.mark.parametrize("kind", ["signed", "unsigned"])
def test_a_token_that_names_no_expiry_does_not_expire(kind: str) -> None:
    endless = replace(token(kind), expires_at=None)
    assert takes_token(policy(UNSIGNED), endless, direct_local=False, session_exists=False)


@pytest.mark.parametrize("session_id", ["", "x" * 513, "a\nb"])
def test_an_unsigned_token_cannot_bring_an_id_that_a_page_could_not(session_id: str) -> None:
    bad = token("unsigned", session_id=session_id)
    assert not takes_token(policy(UNSIGNED), bad, direct_local=True, session_exists=True)


async def test_a_token_of_the_authority_ages_with_the_clock() -> None:
    clock = ManualClock(NOW)
    tokens = TokenAuthority(SECRET, clock, expiration_s=60)
    read = tokens.read(tokens.issue("an-id"))
    rules = policy(SIGNED)
    clock.set(NOW + 60)
    rules.check_token(read, now=clock.wall(), direct_local=False, session_exists=False)
    clock.set(NOW + 60.5)
    with pytest.raises(AuthError, match="expired"):
        rules.check_token(read, now=clock.wall(), direct_local=False, session_exists=False)
    rules.check_token(read, now=clock.wall(), direct_local=False, session_exists=True)
