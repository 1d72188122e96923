"""What secrets and personal data look like: patterns, each with the check that tells it from chance.

Prefixes and lengths are those that the services document or show in their consoles; IBAN lengths are the registry's.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator

__all__ = ["KINDS", "found"]

Found = tuple[str, int, int]

KINDS = ("keys", "cards", "ibans", "passwords", "emails", "phones")
"""What can be looked for."""

_DISTINCT = 8  # different characters in a real key; "sk-xxxxxxxx…" and "AKIAAAAAAA…" are examples of one
_KEYS = {
    "aws access key": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "github token": r"(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})",
    "gitlab token": r"gl(?:pat|dt|ft|soat|rt|cbt|ptt|agent|oas|imt)-[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9_-]+)*",
    "openai key": r"sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
    "anthropic key": r"sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{80,}",
    "openrouter key": r"sk-or-v1-[0-9a-f]{64}",
    "google api key": r"AIza[A-Za-z0-9_-]{35}",
    "google oauth secret": r"GOCSPX-[A-Za-z0-9_-]{28}",
    "hugging face token": r"(?:hf_[A-Za-z]{34}|hf_[A-Za-z0-9]{34}|api_org_[A-Za-z0-9]{34})",
    "slack token": r"(?:xox[abeoprs]-[A-Za-z0-9-]{20,}|xapp-\d-[A-Z0-9]+-\d+-[0-9a-f]{32,})",
    "slack webhook": r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,}",
    "stripe key": r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/]{32,}={0,2}",
    "sendgrid key": r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "mailgun key": r"key-[0-9a-f]{32}",
    "npm token": r"npm_[A-Za-z0-9]{36}",
    "pypi token": r"pypi-AgE[A-Za-z0-9_-]{50,}",
    "telegram bot token": r"\d{8,10}:AA[A-Za-z0-9_-]{33}",
    "twilio key": r"SK[0-9a-f]{32}",
    "discord token": r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}",
    "digitalocean token": r"do[opr]_v1_[0-9a-f]{64}",
    "shopify token": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "groq key": r"gsk_[A-Za-z0-9]{52}",
    "xai key": r"xai-[A-Za-z0-9]{80}",
    "perplexity key": r"pplx-[A-Za-z0-9]{48}",
    "langsmith key": r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",
    "databricks token": r"dapi[0-9a-f]{32}",
    "vault token": r"hv[sbr]\.[A-Za-z0-9_-]{24,}",
    "azure storage key": r"(?<=AccountKey=)[A-Za-z0-9+/]{86}==",
    "age key": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "private key": r"-----BEGIN (?:[A-Z]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
    r"(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    "assigned secret": r"(?i:api[_-]?key|(?:secret|access|private)[_-](?:access[_-])?key|(?:auth|access)[_-]token"
    r"|client_secret)"
    r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?P<secret>[A-Za-z0-9/+_.=-]{20,})",
}
_LOOSE = ("private key", "assigned secret", "azure storage key")  # may stand right behind a letter
_PATTERNS = {kind: re.compile(one, re.ASCII) for kind, one in _KEYS.items()}
_LETTER = re.compile(r"[A-Za-z0-9]", re.ASCII)
_JOINED = re.compile(r"[A-Za-z0-9_-]", re.ASCII)
_LONG_WORD = re.compile(r"\S{20}|PRIVATE KEY")
_JWT = re.compile(r"(?<![\w.-])(eyJ[A-Za-z0-9_-]{8,})\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}", re.ASCII)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}:(?P<secret>[^\s/:@]{3,200})@[\w.-]", re.ASCII)
_DIGITS = re.compile(r"\d(?:[ -]?\d){12,}", re.ASCII)
_CARDS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[068]\d{12}|35\d{14}|6(?:011|5\d\d|4[4-9]\d)\d{12}"
    r"|62\d{14,17}",
    re.ASCII,
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2})\d{2}(?=[ A-Z0-9])", re.ASCII)
_LENGTHS = {
    text[:2]: int(text[2:])
    for text in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30"
    ).split()
}
_PASSWORD = re.compile(
    r"\b(?:password|passwort|passphrase|passcode|passwd|pwd|pin code|pin)\b[\"']?"
    r"(?:\s{1,3}(?:is|was|to)\s{1,3}|\s{0,3}[:=]\s{0,3})"
    r"[\"'`]?(?P<secret>[^\s\"'`,;]{4,128})",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}(?:[ .-]?\(?\d{1,5}+\)?){2,6}+|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[ .-]\d{4})(?!\w)", re.ASCII
)


def found(kind: str, text: str) -> Iterator[Found]:
    """Yields (what it is, start, end) for everything of one of `KINDS` in a text; some may overlap."""
    yield from _FINDERS[kind](text)


def _keys(text: str) -> Iterator[Found]:
    for match in _URL.finditer(text):
        yield "password in a url", *match.span("secret")
    if not _LONG_WORD.search(text):
        return  # every key has one; most texts of people do not
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            start, end = match.span("secret" if "secret" in pattern.groupindex else 0)
            if len(set(match[0])) < _DISTINCT or (kind == "assigned secret" and not _mixed(text[start:end])):
                continue
            # a part of something longer is no key; edges are looked at here, since a pattern that fails there would
            # begin again at each of its letters
            if kind in _LOOSE or not (_JOINED.match(text, max(start - 1, 0), start) or _LETTER.match(text, end)):
                yield kind, start, end
    for match in _JWT.finditer(text):
        if _is_header(match[1]):
            yield "json web token", *match.span()


def _cards(text: str) -> Iterator[Found]:
    for run in _DIGITS.finditer(text):
        groups = [(part.start() + run.start(), part[0]) for part in re.finditer(r"\d+", run[0])]
        for first in range(len(groups)):
            digits = ""
            for place, (start, group) in enumerate(groups[first : first + 6]):
                digits += group
                if len(digits) > 19 or (place and not (len(groups[first][1]) == 4 and 3 <= len(group) <= 6)):
                    break
                if _CARDS.fullmatch(digits) and _luhn(digits):
                    begun, end = groups[first][0], start + len(group)
                    if not (_JOINED.match(text, max(begun - 1, 0), begun) or _JOINED.match(text, end)):
                        yield "card number", begun, end


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        length = _LENGTHS.get(match[1])
        if length is None:
            continue
        whole = re.compile(rf"(?:[A-Z0-9] ?){{{length - 1}}}[A-Z0-9](?![A-Za-z0-9])", re.ASCII).match(
            text, match.start()
        )
        if whole is not None and _mod_97(whole[0].replace(" ", "")):
            yield "iban", *whole.span()


def _passwords(text: str) -> Iterator[Found]:
    for match in _PASSWORD.finditer(text):
        secret = match["secret"].rstrip(".!?)")
        if any(character.isdigit() or not character.isalnum() for character in secret):  # no plain word
            start = match.start("secret")
            yield "password", start, start + len(secret)


def _emails(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        yield "email address", *match.span()


def _phones(text: str) -> Iterator[Found]:
    for match in _PHONE.finditer(text):
        if 8 <= sum(character.isdigit() for character in match[0]) <= 15:  # E.164
            yield "phone number", *match.span()


_FINDERS: dict[str, Callable[[str], Iterator[Found]]] = {
    "keys": _keys,
    "cards": _cards,
    "ibans": _ibans,
    "passwords": _passwords,
    "emails": _emails,
    "phones": _phones,
}


def _mixed(text: str) -> bool:
    return any(character.isdigit() for character in text) and any(character.isalpha() for character in text)


def _is_header(segment: str) -> bool:
    """Returns whether a segment is the header of a JSON web token."""
    try:
        header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (binascii.Error, ValueError):  # also bytes that are no UTF-8
        return False
    return isinstance(header, dict) and "alg" in header


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _mod_97(iban: str) -> bool:
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1
