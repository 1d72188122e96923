"""What a screen finds, what it leaves alone, and what becomes of a draft. No key in this file was ever one."""

from __future__ import annotations

import base64
import json
import os
import random
import string
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tercet.engines.screening import PatternScreen, Policy, Screen, Secret, SecretFound, screened
from tercet.engines.secret_patterns import KINDS, found
from tercet.store.draft import checked_draft
from tercet.store.errors import InvalidInput
from tercet.store.note import Triplet

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TERCET_DATA", ROOT.parent / "shared" / "data"))
LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
_random = random.Random(7)


def some(length: int, letters: str = LETTERS) -> str:
    return "".join(_random.choice(letters) for _ in range(length))


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JWT = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{segment({'sub': '1234567890'})}.{some(43)}"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{some(64)}\n{some(64)}\n-----END RSA PRIVATE KEY-----"
# put together here, so that nothing that looks like a key stands in the file
MADE_UP = [
    ("aws access key", "AKIA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
    ("github token", "ghp_" + some(36)),
    ("github token", "github_pat_" + some(22) + "_" + some(59)),
    ("gitlab token", "glpat-" + some(20)),
    ("openai key", "sk-" + some(20) + "T3BlbkFJ" + some(20)),
    ("openai key", "sk-proj-" + some(70) + "_" + some(70) + "-A"),
    ("anthropic key", "sk-ant-api03-" + some(93) + "AA"),
    ("openrouter key", "sk-or-v1-" + some(64, HEX)),
    ("google api key", "AIza" + some(35)),
    ("google oauth secret", "GOCSPX-" + some(28)),
    ("hugging face token", "hf_" + some(34, string.ascii_letters)),
    ("slack token", f"xoxb-{some(12, string.digits)}-{some(12, string.digits)}-{some(24)}"),
    ("slack webhook", f"https://hooks.slack.com/services/T{some(8)}/B{some(8)}/{some(24)}"),
    ("stripe key", "sk_live_" + some(24)),
    ("stripe key", "rk_test_" + some(99)),
    ("sendgrid key", "SG." + some(22) + "." + some(43)),
    ("npm token", "npm_" + some(36)),
    ("pypi token", "pypi-AgEIcHlwaS5vcmc" + some(120)),
    ("telegram bot token", some(9, "123456789") + ":AA" + some(33)),
    ("twilio key", "SK" + some(32, HEX)),
    ("discord token", "M" + some(23) + "." + some(6) + "." + some(27)),
    ("digitalocean token", "dop_v1_" + some(64, HEX)),
    ("shopify token", "shpat_" + some(32, HEX)),
    ("groq key", "gsk_" + some(52)),
    ("langsmith key", "lsv2_pt_" + some(32, HEX) + "_" + some(10, HEX)),
    ("databricks token", "dapi" + some(32, HEX)),
    ("vault token", "hvs." + some(90)),
    ("age key", "AGE-SECRET-KEY-1" + some(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L")),
    ("json web token", JWT),
    ("private key", PEM),
    ("card number", "4111 1111 1111 1111"),
    ("card number", "5500005555555559"),
    ("card number", "3782-822463-10005"),
    ("card number", "4222222222222"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB29NWBK60161331926819"),
    ("iban", "MT84MALT011000012345MTLCAST001S"),
]


def spans(screen: Screen, text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in screen.inspect(text)]


@pytest.mark.parametrize(
    ("kind", "secret"), MADE_UP, ids=[f"{place} {kind}" for place, (kind, _) in enumerate(MADE_UP)]
)
@pytest.mark.parametrize("frame", ["{}", "please keep {} for me", "key={}.", "({}),", "'{}' 12/27"])
def test_a_secret_is_found_whole_and_nothing_else(frame: str, kind: str, secret: str) -> None:
    assert spans(PatternScreen(), frame.format(secret)) == [(kind, secret)]


@pytest.mark.parametrize(
    ("kinds", "text", "kind", "secret"),
    [
        ("keys", "postgres://bob:hunter22@db.example.org/x", "password in a url", "hunter22"),
        ("keys", "redis://:s3cr3t!@cache:6379", "password in a url", "s3cr3t!"),
        ("keys", 'aws_secret_access_key = "{}"', "assigned secret", some(38) + "/1a"),
        ("keys", "API-KEY: {}", "assigned secret", some(32) + "1a"),
        ("keys", "AccountKey={};EndpointSuffix=x", "azure storage key", some(86) + "=="),
        ("passwords", "My wifi password is hunter2.", "password", "hunter2"),
        ("passwords", "PIN: 4711, as ever", "password", "4711"),
        ("emails", "write to ada.l+x@mail.example.org.", "email address", "ada.l+x@mail.example.org"),
        ("phones", "call +351 912 345 678 today", "phone number", "+351 912 345 678"),
        ("phones", "call (555) 123-4567!", "phone number", "(555) 123-4567"),
        ("phones", "or 555-123-4567.", "phone number", "555-123-4567"),
    ],
)
def test_what_needs_its_surroundings_is_found(kinds: str, text: str, kind: str, secret: str) -> None:
    assert spans(PatternScreen(kinds=[kinds]), text.format(secret)) == [(kind, secret)]


@pytest.mark.parametrize(
    "text",
    [
        "I moved to Lisbon in March 2024 and pay 1,200 euros.",
        "sk-" + "x" * 48,
        "AKIA" + "A" * 16,
        "AKIA" + some(30, "BCDEFGHIJKLMNOP"),
        "x4111111111111111",
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "1700000000000000",
        "4111 1111 1111 11111",
        "41 11 11 11 11 11 11 11",
        "DE88 3704 0044 0532 0130 00",
        "ZZ89 3704 0044 0532 0130 00",
        "DE89 3704 0044 0532 0130 00A",
        "eyJhbGciOiJub25lZm91bmRIZXJl.eyJzdWIiOiIxMjM0NTY3ODkwIn.abcdefghijklmnop",
        "https://example.org/a/b?c=d#" + some(60),
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "d41d8cd98f00b204e9800998ecf8427e",
        "2024-03-09T13:56:00.123456+00:00",
        "the password is important",
        "12:30 - 14:45, rooms 101-204, ISBN 978-3-16-148410-0",
        "api_key = os.environ['MY_VERY_LONG_API_KEY_NAME']",
        "Call me at 5 or 6, or in 2024-2025",
        "name@host and @ada",
    ],
    ids=range(23),
)
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert spans(PatternScreen(kinds=KINDS), text) == []


def test_several_secrets_come_in_order_and_overlaps_are_one() -> None:
    key, url = "ghp_" + some(36), "https://u:ghp_" + some(36) + "@x.org"
    text = f"4111111111111111 then {key} then {url}"
    assert [one.kind for one in PatternScreen().inspect(text)] == ["card number", "github token", "password in a url"]


def test_only_what_is_asked_for_is_found() -> None:
    text = "4111111111111111, ada@example.org"
    assert [one.kind for one in PatternScreen(kinds=["emails"]).inspect(text)] == ["email address"]
    assert PatternScreen(kinds=[]).inspect(text) == []


def test_a_screen_is_made_right() -> None:
    with pytest.raises(InvalidInput, match="policy 'hide' is unknown"):
        PatternScreen(cast(Policy, "hide"))
    for kinds in (["key"], "keys"):
        with pytest.raises(InvalidInput, match="use some of keys, cards"):
            PatternScreen(kinds=kinds)


# --- drafts ----------------------------------------------------------------------------------------------------

KEY = "ghp_" + some(36)
DRAFT = checked_draft(
    f"my token is {KEY}",
    scope="ada",
    speaker=f"bot {KEY}",
    source=f"log:{KEY}",
    thread=f"t-4111111111111111-{KEY[:3]}",
    facts=[("Ada", "has the token", KEY)],
    metadata={"deep": [{"er": KEY}, 5, None], KEY: True},
)


def test_redacting_leaves_no_secret_anywhere() -> None:
    clean = screened(DRAFT, PatternScreen("redact"))
    assert clean.text == "my token is [github token]"
    assert clean.speaker == "bot [github token]"
    assert clean.source == "log:[github token]"
    assert clean.facts == (Triplet("Ada", "has the token", "[github token]"),)
    assert clean.metadata == {"deep": [{"er": "[github token]"}, 5, None], "[github token]": True}
    assert KEY not in repr(clean)
    assert screened(clean, PatternScreen("refuse")) == clean


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"text": f"it is {KEY}"}, "the text holds what looks like a github token at character 6; nothing"),
        ({"text": f"{KEY} {KEY}"}, r"at character 0 \(and 1 more\)"),
        ({"text": "x", "speaker": KEY}, "the speaker holds"),
        ({"text": "x", "thread": KEY}, "the thread holds"),
        ({"text": "x", "source": KEY}, "the source holds"),
        ({"text": "x", "key": KEY}, "the key holds"),
        ({"text": "x", "facts": [("a", KEY, "b")]}, "the relation of a fact holds"),
        ({"text": "x", "metadata": {"a": [0, {"b": KEY}]}}, r"the metadata\['a'\]\[1\]\['b'\] holds"),
        ({"text": "x", "metadata": {KEY: 1}}, "name 0 of the metadata holds"),
    ],
)
def test_refusing_names_the_place_and_never_the_secret(values: dict[str, object], said: str) -> None:
    draft = checked_draft(values.pop("text"), scope="ada", **cast("dict[str, None]", values))
    with pytest.raises(SecretFound, match=said) as caught:
        screened(draft, PatternScreen())
    assert KEY not in str(caught.value)
    assert isinstance(caught.value, InvalidInput)


def test_a_key_that_cannot_be_redacted_is_refused() -> None:
    with pytest.raises(SecretFound, match="the key holds"):
        screened(checked_draft("x", scope="ada", key=KEY), PatternScreen("redact"))


def test_allowing_changes_nothing() -> None:
    assert screened(DRAFT, PatternScreen("allow")) is DRAFT


def test_redacted_names_stay_apart() -> None:
    draft = checked_draft("x", scope="ada", metadata={KEY: 1, KEY[:-1] + "Z": 2, "[github token]": 3})
    clean = screened(draft, PatternScreen("redact"))
    assert sorted(clean.metadata.values(), key=repr) == [1, 2, 3]
    assert "ghp_" not in repr(clean)


def test_any_screen_will_do() -> None:
    class Shouting:
        policy: Policy = "redact"

        def inspect(self, text: str) -> list[Secret]:
            return [Secret("shout", 0, len(text))] if text.isupper() else []

    clean = screened(checked_draft("HELLO", scope="ada", speaker="Ada"), Shouting())
    assert (clean.text, clean.speaker) == ("[shout]", "Ada")


# --- cost and false alarms -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit",
    ["1 ", "4111 ", "xoxb-", "eyJ.", "a@", "a@a.", "+1(2", "a://:", "api_key=", "password ", "DE00 ", "hf_", "key-"],
)
def test_no_text_takes_forever(unit: str) -> None:
    text = unit * (200_000 // len(unit)) + "_"
    begun = time.perf_counter()
    for kind in KINDS:
        list(found(kind, text))
    assert time.perf_counter() - begun < 5  # seen: 0.5 s; the square of the length would be minutes


def _texts(folder: str) -> Iterator[str]:
    files = sorted(path for path in (DATA / folder).rglob("*") if path.suffix in (".txt", ".json"))
    if not files:
        pytest.skip(f"the data sets are not at {DATA}; set TERCET_DATA")
    for file in files:
        if file.suffix == ".txt":
            yield from file.read_text(errors="replace").splitlines()
        else:
            yield from _strings(json.loads(file.read_text()))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


@pytest.mark.data
@pytest.mark.parametrize("folder", ["locomo", "babi", "memorybank"])
def test_people_s_talk_raises_no_alarm(folder: str) -> None:
    screen = PatternScreen(kinds=KINDS)
    texts = list(_texts(folder))
    alarms = [(one.kind, text[max(0, one.start - 20) : one.end]) for text in texts for one in screen.inspect(text)]
    assert len(texts) > 1000
    assert alarms == []
