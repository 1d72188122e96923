"""Frequent English verbs with all their forms, and the third person singular of any verb."""

from __future__ import annotations

__all__ = ["VERB_FORMS", "third_person"]

_REGULAR = """
accept access accompany achieve acquire act add address admire admit adopt advise affect agree aim allow
announce answer apologize appear apply appoint appreciate approach argue arrange arrest arrive ask assign
assist attach attack attempt attend attract author avoid award base belong benefit bike book borrow bother
breed bring brush call camp campaign care carry cause celebrate challenge change charge chat check claim
clean climb close coach collaborate collect combine comment commission commit commute compare compete
complain complete compose concern conduct confirm connect consider consist construct contact contain
continue contribute control convert convince cook cooperate cost cover crash create criticize cross cure
dance date deal debut decide declare decline decorate defeat defend deliver demand deny depart depend
describe deserve design destroy develop devote die direct disagree disappear discover discuss dislike
dominate donate doubt drop earn edit elect email employ enable encourage end enjoy enlist enroll enrol
ensure enter escape establish estimate evolve examine exchange exercise exist expand expect experience
explain explore express extend face fail fear feature film finish fish fit fix focus follow force form found
gain gather graduate grant greet guide handle happen hate head help hike hire honor host hug hunt hurt
identify ignore imagine impress improve include increase indicate influence inform inherit inspire install
intend interview introduce invade invent invest invite involve issue jog join joke judge jump kick kill kiss
knock label lack land last laugh launch learn lecture lie lift like limit link list listen live locate lock
look love maintain major manage mark marry master match matter measure mention mind miss mix move murder
name narrate need nominate note notice number nurse object observe obtain occupy occur offer open operate
oppose order organize organise own pack paint park participate pass perform persuade phone photograph pick
place plan plant play please point possess post practice practise praise pray prefer prepare present
preserve press prevent produce program promise promote propose protect prove provide publish pull purchase
push qualify question race rain raise range rank reach realize realise receive recommend record recover
reduce refer reflect refuse regard register reject relate relax release relocate rely remain remember remind
remove rename renovate rent repair repeat replace reply report represent request require research resemble
reserve reside resign resist respond rest restore result retire return reveal review ride rule sail save
score search seem select separate serve settle shape share shift shop shout sign ski smell smile smoke solve
sound specialize sponsor spot star start state stay step stop stress struggle study succeed suffer suggest
supply support suppose surf surprise surround survive suspect switch talk target taste tell test text thank
tour touch trade train transfer transform translate travel treat trust try turn type unite update use
vacation value visit volunteer vote wait walk want warn wash watch welcome wish witness wonder work worry
yell yield adore baptize befriend foster mentor photobomb crochet knit bake garden cycle swap track tutor
upgrade tend rescue relieve conquer defect derive divorce engage enclose flow govern inhabit border merge
narrow originate premiere reign rebuild revive seat seize staff stretch supervise tie total capture cherish
boost tackle showcase spark motivate chill stream code consult file freelance intern blog declutter adapt
advance aid animate archive assemble assert assess assume attribute bless broadcast cancel chair
characterize classify colonize compile comprise confront consecrate contest convict coordinate crown crush
dedicate define demolish depict designate detect display dissolve distribute divide drain educate emerge
emigrate emphasize endorse equip execute exhibit export finance flood generate illustrate immigrate
implement import incorporate initiate inspect integrate load lobby migrate mobilize monitor overlap patrol
penetrate pioneer plot portray pour preside proceed proclaim prosecute quote rally ratify react reform
reinforce render reprise resume retain revise rotate sack shelter sink slip sort span specify split stem
strengthen structure submit sue supplement suspend terminate threaten transmit trigger undertake unify urge
utilize vary wed weigh wound
"""

_IRREGULAR = """
arise/arose/arisen awake/awoke/awoken bear/bore/born beat/beat/beaten become/became/become begin/began/begun
bend/bent/bent bet/bet/bet bind/bound/bound bite/bit/bitten blow/blew/blown break/broke/broken
breed/bred/bred bring/brought/brought build/built/built burn/burnt/burnt buy/bought/bought
catch/caught/caught choose/chose/chosen come/came/come cost/cost/cost cut/cut/cut deal/dealt/dealt
dig/dug/dug draw/drew/drawn dream/dreamt/dreamt drink/drank/drunk drive/drove/driven eat/ate/eaten
fall/fell/fallen feed/fed/fed feel/felt/felt fight/fought/fought find/found/found flee/fled/fled
fly/flew/flown forbid/forbade/forbidden forget/forgot/forgotten forgive/forgave/forgiven
freeze/froze/frozen get/got/gotten give/gave/given go/went/gone grow/grew/grown hang/hung/hung
hear/heard/heard hide/hid/hidden hit/hit/hit hold/held/held hurt/hurt/hurt keep/kept/kept know/knew/known
lay/laid/laid lead/led/led learn/learnt/learnt leave/left/left lend/lent/lent let/let/let lose/lost/lost
make/made/made mean/meant/meant meet/met/met oversee/oversaw/overseen pay/paid/paid put/put/put
quit/quit/quit read/read/read rebuild/rebuilt/rebuilt ride/rode/ridden ring/rang/rung rise/rose/risen
run/ran/run say/said/said see/saw/seen seek/sought/sought sell/sold/sold send/sent/sent set/set/set
sew/sewed/sewn shake/shook/shaken shine/shone/shone shoot/shot/shot show/showed/shown shut/shut/shut
sing/sang/sung sink/sank/sunk sit/sat/sat sleep/slept/slept speak/spoke/spoken spend/spent/spent
split/split/split spread/spread/spread stand/stood/stood steal/stole/stolen stick/stuck/stuck
strike/struck/struck swear/swore/sworn swim/swam/swum take/took/taken teach/taught/taught tear/tore/torn
tell/told/told think/thought/thought throw/threw/thrown undergo/underwent/undergone undertake/undertook/undertaken
understand/understood/understood wake/woke/woken wear/wore/worn win/won/won withdraw/withdrew/withdrawn
write/wrote/written
"""

_VOWELS = frozenset("aeiou")


def third_person(base: str) -> str:
    """Returns the third person singular, present tense, of a verb's base form."""
    irregular = {"be": "is", "have": "has", "do": "does", "go": "goes"}.get(base)
    if irregular:
        return irregular
    if base.endswith("y") and base[-2:-1] not in _VOWELS:
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


def _stems(base: str) -> tuple[str, ...]:
    """What -ed and -ing are put on; of two possible spellings both are given, a wrong one harms nobody."""
    if base.endswith("e"):
        return (base[:-1],)
    if len(base) > 2 and base[-1] not in "aeiouwxyh" and base[-2] in _VOWELS and base[-3] not in _VOWELS:
        return (base, base + base[-1])
    return (base,)


def _forms() -> dict[str, tuple[str, str]]:
    """Returns form -> (base, kind): b base, s third person, d past, n participle only, g -ing."""
    forms: dict[str, tuple[str, str]] = {}
    irregular = [entry.split("/") for entry in _IRREGULAR.split()]
    for base in [*_REGULAR.split(), *(entry[0] for entry in irregular)]:
        for stem in _stems(base):
            forms[stem + "ing"] = (base, "g")
            forms.setdefault(stem[:-1] + "ied" if base.endswith("y") else stem + "ed", (base, "d"))
            if base.endswith("y"):
                forms.setdefault(stem + "ed", (base, "d"))
        forms[third_person(base)] = (base, "s")
    for base, past, participle in irregular:
        forms[participle] = (base, "n")
        forms[past] = (base, "d")
    for base in _REGULAR.split():
        forms.setdefault(base, (base, "b"))
    for base, past, _ in irregular:
        if past != base:
            forms[base] = (base, "b")
    forms |= {"dying": ("die", "g"), "lying": ("lie", "g"), "tying": ("tie", "g"), "born": ("bear", "n")}
    forms |= {"doing": ("do", "g"), "done": ("do", "n")}
    forms |= {"founded": ("found", "d"), "founding": ("found", "g")}
    return forms


VERB_FORMS = _forms()
