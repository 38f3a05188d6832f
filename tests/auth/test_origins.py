"""Which pages may open websockets."""

from __future__ import annotations

import pytest

from hyperfocal.auth import OriginPolicy
from hyperfocal.errors import ConfigError


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        # A pattern without a port means the scheme's own port.
        ("example.com", "http://example.com", True),
        ("example.com", "https://example.com", True),
        ("example.com", "http://example.com:80", True),
        ("example.com", "https://example.com:443", True),
        ("example.com", "http://example.com:443", False),
        ("example.com", "https://example.com:80", False),
        ("example.com", "http://example.com:8080", False),
        ("example.com:80", "http://example.com", True),
        ("example.com:80", "https://example.com", False),
        ("example.com:443", "https://example.com", True),
        ("example.com:443", "http://example.com", False),
        ("example.com:8080", "http://example.com:8080", True),
        ("example.com:8080", "https://example.com:8080", True),
        ("example.com:8080", "http://example.com", False),
        ("example.com:8080", "http://example.com:8081", False),
        ("example.com:8080", "http://example.com:80801", False),
        # The whole host, and nothing but the host.
        ("example.com", "http://sub.example.com", False),
        ("example.com", "http://notexample.com", False),
        ("example.com", "http://example.com.evil.org", False),
        ("example.com", "http://example.org", False),
        ("example.com", "http://evil.org/example.com", False),
        ("example.com", "http://evil.org?example.com", False),
        ("example.com", "http://example.com@evil.org", False),
        ("example.com", "http://evil.org#@example.com", False),
        ("example.com", "http://exampleXcom", False),
        ("localhost:5006", "http://localhost:5006", True),
        ("localhost:5006", "http://127.0.0.1:5006", False),
        # Case.
        ("Example.COM", "http://example.com", True),
        ("example.com", "HTTP://EXAMPLE.com", True),
        # Wild cards.
        ("*.example.com", "http://a.example.com", True),
        # A star is one label, as with Bokeh.
        ("*.example.com", "http://a.b.example.com", False),
        ("*.*.example.com", "http://a.b.example.com", True),
        ("a.*.com", "http://a.example.com", True),
        ("a.*.com", "http://a.b.example.com", False),
        ("*.example.com", "http://example.com", False),
        ("*.example.com", "http://a.example.com:8080", False),
        ("*.example.com", "http://a.example.com.evil.org", False),
        ("*.example.com:8080", "http://a.example.com:8080", True),
        ("example.com:*", "http://example.com:8080", True),
        ("example.com:*", "http://example.com", True),
        ("example.com:*", "http://evil.org:8080", False),
        ("*:8080", "http://anything.org:8080", True),
        ("*:8080", "http://anything.org", False),
        ("*:*", "http://anything.org:1234", True),
        ("192.168.0.*", "http://192.168.0.7", True),
        ("192.168.0.*", "http://192.168.1.7", False),
        # Names that are not ASCII: browsers send their ASCII form.
        ("b\u00fccher.example", "https://xn--bcher-kva.example", True),
        ("B\u00dcCHER.example", "https://xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "https://b\u00fccher.example", True),
        ("*.b\u00fccher.example", "https://a.xn--bcher-kva.example", True),
        ("stra\u00dfe.example", "https://xn--strae-oqa.example", True),
        ("stra\u00dfe.example", "https://strasse.example", False),
        ("b\u00fccher.example", "https://bucher.example", False),
        # What stands before the host, or behind the port.
        ("example.com", "http://user@example.com", False),
        ("example.com", "http://user:password@example.com", False),
        ("example.com", "http://@example.com", False),
        ("example.com", "http://evil.org\\@example.com", False),
        ("example.com", "http://example.com\\", False),
        ("example.com", "http://example.com\\.evil.org", False),
        ("example.com", "http://example.com/", False),
        ("example.com", "http://example.com?", False),
        ("example.com", "http://example.com#", False),
        ("example.com", "http://example.com:", False),
        ("example.com", " http://example.com", False),
        ("example.com", "http://example.com\t", False),
        ("example.com", "http://example.com\n", False),
        ("example.com", "http://exa\nmple.com", False),
        ("example.com", "http://example%2ecom", False),
        ("example.com", "http:example.com", False),
        ("example.com", "http:///example.com", False),
        ("example.com:80", "http://example.com:\u0668\u0660", False),
        ("*.example.com", "http://*.example.com", False),
        ("example.com", "http://\u2488com", False),
        # IPv6.
        ("[::1]", "http://[::1]", True),
        ("[::1]:5006", "http://[::1]:5006", True),
        ("[::1]:5006", "http://[::1]:5007", False),
        ("[::1]:5006", "http://[::2]:5006", False),
        ("[::1]:*", "http://[::1]:9", True),
        ("[2001:DB8::1]", "https://[2001:db8::1]", True),
        ("[::1]", "http://1", False),
        ("[::1]", "http://:", False),
        ("*:*", "http://[::1]:5006", True),
        # What is no origin of a page.
        ("example.com", "null", False),
        ("null", "null", False),
        ("example.com", "", False),
        ("*:*", "", False),
        ("*:*", "null", False),
        ("example.com", "example.com", False),
        ("example.com", "//example.com", False),
        ("example.com", "file://", False),
        ("example.com", "http://", False),
        ("example.com", "ftp://example.com", False),
        ("example.com", "http://example.com:port", False),
        ("example.com:*", "http://example.com:99999", False),
        ("example.com", "http://[::1", False),
        ("example.com", "http://example.com:-80", False),
        ("example.com", "\ud800", False),
    ],
    ids=ascii,
)
def test_a_pattern_allows_these_origins_and_not_those(
    pattern: str, origin: str, allowed: bool
) -> None:
    assert OriginPolicy([pattern]).allows(origin) is allowed


@pytest.mark.parametrize("patterns", [[], ["example.com"], ["*"]], ids=repr)
def test_a_program_that_is_no_browser_names_no_origin_and_is_allowed(patterns: list[str]) -> None:
    assert OriginPolicy(patterns).allows(None)


@pytest.mark.parametrize("origin", ["http://a.org", "null", "", "https://[::1]:9", "nonsense"])
def test_a_star_alone_allows_every_page(origin: str) -> None:
    assert OriginPolicy(["example.com", "*"]).allows(origin)
    assert not OriginPolicy(["example.com"]).allows(origin)


def test_without_patterns_no_page_is_allowed() -> None:
    assert not OriginPolicy([]).allows("http://example.com")


def test_one_pattern_of_several_is_enough() -> None:
    rules = OriginPolicy(iter(["one.org", "two.org:8080"]))
    assert rules.allows("http://one.org")
    assert rules.allows("http://two.org:8080")
    assert not rules.allows("http://one.org:8080")
    assert not rules.allows("http://two.org")


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        " ",
        ":",
        ":5006",
        "http://example.com",
        "https://example.com:8080",
        "example.com/app",
        "example.com:",
        "example.com:port",
        "example.com:8*",
        "app*",
        "*app.example.com",
        "a.*b.example.com",
        "**",
        "*.example.com:99999",
        "user@example.com",
        "example.com?",
        "app?.example.com",
        "example.com\\",
        "example%2ecom",
        "b\u00fccher..\u2488",
        "example.com:-1",
        "example.com:123456",
        "example.com:80:81",
        "two words",
        "::1",
        "[::1",
        "::1]",
        "[::1]5006",
        "[]",
        "[a-z].com",
        "[host]",
        "a[bc]",
    ],
)
def test_a_malformed_pattern_is_an_error_that_names_the_option(pattern: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OriginPolicy(["example.com", pattern])
    assert caught.value.option == "--allow-websocket-origin"
    assert caught.value.got == pattern
    assert "--allow-websocket-origin" in str(caught.value)


@pytest.mark.parametrize("pattern", ["example.com:99999", "example.com:65536", "example.com:80\n"])
def test_a_port_that_no_page_can_have_is_an_error_too(pattern: str) -> None:
    with pytest.raises(ConfigError):
        OriginPolicy([pattern])
