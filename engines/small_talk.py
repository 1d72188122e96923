"""Does a turn call for memories at all? A gate that costs microseconds: greetings, thanks and sums do not.

It says no only where the *whole* turn is made of set phrases of English small talk, with a name beside them at most,
or is arithmetic. Everything else is worth a read: that one too many costs milliseconds, one too few an answer.
"""

from __future__ import annotations

import re

__all__ = ["worth_reading"]

_PHRASES = """
hello there|hello|hi there|hi|hey there|hey|hiya|howdy|greetings|welcome back|welcome
good (?:morning|afternoon|evening|night|day)|morning|evening|what(?:'s| is) up|long time no see
how are (?:you|things)(?: doing| feeling)?(?: today| tonight| now)?|how(?: is|'s) it going|how do you do
how have you been|how (?:was|is) (?:your|the) (?:day|evening|morning|weekend|week)(?: going)?(?: so far)?
(?:it(?:'s| is) )?(?:nice|good|great|lovely) to (?:meet|see|hear from) you(?: again| too)?
thanks|thank you|thx|many thanks|cheers|much appreciated|i appreciate (?:it|that|your help)
that(?:'s| is) (?:very |so )?kind of you|you(?:'re| are) (?:very |most )?welcome|no (?:problem|worries)
don't mention it|my pleasure|not at all|never mind|no need
goodbye|good bye|bye bye|bye|see (?:you|ya)(?: later| soon| around| tomorrow| then)?|farewell|take care|so long
(?:i(?:'ll| will) )?talk to you (?:later|soon|tomorrow)|catch you later|until (?:next time|then)|later|sleep well
have a (?:nice|good|great|lovely|wonderful) (?:day|evening|night|weekend|week|time|one|trip)|you too|same to you|enjoy
ok|okay|alright|all right|great|cool|nice|perfect|awesome|excellent|wonderful|fine|fantastic|brilliant|amazing
got it|i see|understood|makes sense|(?:that )?sounds (?:good|great|nice|fun|lovely)
that(?:'s| is) (?:good|great|nice|fine|lovely|cool)
(?:ha ?)+|lol|wow|oh|ah|hm+|oops|sorry|my bad|congrats|congratulations|good luck|well done|good job
so much|very much|a lot|a million|again|for (?:that|this|your help|the help|everything|asking)
my friend|everyone|all|dear
""".split("\n")[1:-1]
_LINKS = re.compile(r"(?:then|too|and|but|well)(?![\w'])", re.IGNORECASE)  # what follows may lean on the turn before
_PHRASE = re.compile(f"(?:{'|'.join(_PHRASES)})(?![\\w'])", re.IGNORECASE)
_NAME = re.compile(r"[A-Z][\w'-]{1,20}(?!\w)")
_BETWEEN = re.compile(r"[^\w']+")
_LONGEST = 200  # characters
_NUMBER = r"\d[\d.,_]*"
_SIGN = r"(?:[-+*/x×·÷^%:]|\*\*|plus|minus|times|divided by|over|to the power of|mod)"
_SUM = re.compile(
    r"(?!\d+(?:[-/:.]\d+)+\W*$)"  # a date, a number to call
    r"(?:please )?(?:what(?:'s| is)|how much is|calculate|compute|solve|work out)?\s*"
    r"(?!\s*(?:\d+[-/.]\d+[-/.]\d+|\d{3}-\d{4}|\d{1,2}/\d{1,2})\W*$)"  # the same, behind a question word
    rf"\(*-?\s*{_NUMBER}\)*"
    rf"(?:\s*{_SIGN}\s*\(*-?\s*{_NUMBER}\)*)+\s*=?\s*(?:please)?[?.! ]*",
    re.IGNORECASE,
)


def worth_reading(turn: str) -> bool:
    """Returns whether memories may help to answer a turn: False only for small talk and arithmetic."""
    text = turn.strip().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    if not any(character.isalnum() for character in text):
        return False
    return len(text) > _LONGEST or not (_SUM.fullmatch(text) or _is_small_talk(text))


def _is_small_talk(text: str) -> bool:
    place, phrases, named = 0, 0, True
    while place < len(text):
        if between := _BETWEEN.match(text, place):
            place = between.end()
        elif phrase := _PHRASE.match(text, place):
            place, phrases, named = phrase.end(), phrases + 1, False
        elif link := _LINKS.match(text, place):
            place, named = link.end(), True
        elif not named and (name := _NAME.match(text, place)) and not text[name.end() :].lstrip().startswith("?"):
            place, named = name.end(), True  # whom it is said to
        else:
            return False
    return phrases > 0
