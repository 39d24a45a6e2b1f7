"""The names of devices, from what real browsers and programs send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.domain.devices import device_name

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (f"{WINDOWS} {WEBKIT} Chrome/142.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS} {WEBKIT} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
        (f"{WINDOWS} {WEBKIT} Chrome/142.0.0.0 Safari/537.36 OPR/124.0.0.0", "Opera on Windows"),
        (f"{MAC} {APPLE} Version/18.5 Safari/605.1.15", "Safari on macOS"),
        (f"{IPHONE} {APPLE} Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{IPHONE} {APPLE} CriOS/142.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (f"{IPHONE} {APPLE} FxiOS/145.0 Mobile/15E148 Safari/604.1", "Firefox on iPhone"),
        (f"{ANDROID} {WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (
            f"{ANDROID} {WEBKIT} SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/142.0.0.0", "Chrome on ChromeOS"),
        ("curl/8.11.0", "curl"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("Comptoir Till/3.2 (Android 15)", "Comptoir Till"),
        ("Mozilla/5.0 (compatible)", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_a_device_is_named_as_its_owner_would(sent: str, name: str) -> None:
    assert device_name(sent) == name


@given(st.text())
def test_no_name_is_long_or_holds_what_a_page_must_fear(sent: str) -> None:
    name = device_name(sent)
    assert 0 < len(name) <= 60
    assert not set(name) & set("<>&\"'\x00\n")
