"""The words the rule extractor knows: closed classes and some open ones.

Written by hand for Tercet. It is small on purpose: what it does not know is taken for a noun, and a noun in
the wrong place only costs a triplet.
"""

from __future__ import annotations

from .verbs import VERB_FORMS

__all__ = [
    "ADJECTIVES",
    "ADVERBS",
    "ATTRIBUTES",
    "AUXILIARIES",
    "CALENDAR",
    "CLOSED",
    "COMMON",
    "CONJUNCTIONS",
    "DETERMINERS",
    "HOSTS",
    "HYPOTHETICAL",
    "MODALS",
    "MOODS",
    "MOTION",
    "NAME_LINKS",
    "NEGATIONS",
    "NOUN_OR_VERB",
    "NUMBERS",
    "OBJECTIVE",
    "PARTICLES",
    "POSSESSIVES",
    "PREPOSITIONS",
    "PRONOUNS",
    "RELATIVES",
    "ROLES",
    "SUBORDINATORS",
    "TIMES",
    "TIME_UNITS",
    "TITLES",
    "UNCERTAIN",
    "VAGUE",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _words(
    "a an the this these those some any each every another either both all such half several many few most"
    " more much enough"
)
POSSESSIVES = _words("my your his her its our their whose")
PRONOUNS = _words(
    "i you he she it we they me him us them mine yours hers ours theirs myself yourself himself herself"
    " itself ourselves themselves one someone somebody something anyone anybody anything everyone everybody"
    " everything others there y'all"
)
PREPOSITIONS = _words(
    "about above across after against along alongside amid among around as at before behind below beneath"
    " beside besides between beyond by despite during except for from in inside into near of on onto opposite"
    " outside over past per since than through throughout till towards toward under until unto upon via with"
    " within without"
)
PARTICLES = _words("up out off down away back together along forward apart")
CONJUNCTIONS = _words("and or but nor yet plus &")
SUBORDINATORS = _words(
    "because although though while whereas if unless whether once so lest when whenever where wherever how"
    " why what whatever"
)
RELATIVES = _words("who which that whom")
AUXILIARIES = {
    "am": "be", "is": "be", "are": "be", "was": "be", "were": "be", "be": "be", "been": "be", "being": "be",
    "'m": "be", "'re": "be", "'s": "be", "have": "have", "has": "have", "had": "have", "having": "have",
    "'ve": "have", "do": "do", "does": "do", "did": "do",
}  # fmt: skip
MODALS = _words("will 'll shall can would could might may must should 'd ought wo ca")
NEGATIONS = _words("not n't never no nobody none nothing neither nor nowhere hardly barely cannot dont doesnt didnt")
# A whole sentence with one of these speaks of what may not be.
HYPOTHETICAL = _words("if unless whether suppose supposing imagine wish pretend lest hypothetically")
# A clause with one of these speaks of what may not be.
UNCERTAIN = _words("would could might may must should ought maybe perhaps possibly probably allegedly supposedly")
NUMBERS = _words(
    "one two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty thirty forty"
    " fifty sixty seventy eighty ninety hundred thousand million billion dozen"
)
ADVERBS = _words(
    "very too really so quite rather almost just also already still now then here soon again ever even only"
    " always often sometimes usually finally recently currently actually originally well once twice later"
    " earlier ago away instead maybe perhaps however therefore thus moreover meanwhile anyway lately pretty"
    " super kinda sorta totally definitely absolutely else abroad home overseas upstairs downtown indoors"
    " please ahead afterwards alone far first"
)
TIMES = _words("yesterday today tomorrow tonight nowadays")
TIME_UNITS = _words(
    "second seconds minute minutes hour hours day days night nights morning afternoon evening week weeks"
    " weekend weekends month months year years decade decades century spring summer autumn fall winter"
    " monday tuesday wednesday thursday friday saturday sunday time semester term season"
)
# Days and months, which are times after a preposition.
CALENDAR = _words(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july"
    " august september october november december"
)
ADJECTIVES = _words(
    "good great new old big small little long short high low young large nice best better worst own other"
    " same different last next early late first second third main major minor local public private real whole"
    " full empty free happy sad proud glad sorry sure ready busy tired sick ill fine okay ok excited amazing"
    " awesome cool fun funny hard easy hot cold warm dark light red blue green black white yellow brown pink"
    " purple grey gray orange favourite favorite beautiful lovely special important popular famous strong"
    " weak rich poor married single pregnant vegan vegetarian allergic afraid fond interested keen able"
    " likely former current elder older younger eldest youngest twin human national open dead alive thankful"
    " grateful healthy safe wrong right true false crazy scared worried nervous stressed"
)
OBJECTIVE = _words("me him them us her")
# After these "'s" is a verb.
HOSTS = _words("it he she that there here what who where how everyone everything someone")
# After these "to work" is a way, not a purpose.
MOTION = _words("go goes went gone come came drive drove walk walked commute back return returned")
# A point after these ends no sentence.
TITLES = _words("dr mr mrs ms st jr sr prof gen col lt sgt rev mt ft vs hon capt gov sen rep")
# Feelings of the moment: true when said, worthless as a fact about anyone.
MOODS = _words(
    "glad happy sorry sure excited tired fine okay ok good great ready busy proud thankful grateful back"
    " here there nice well able bad sad lucky curious kidding interested right wrong true worried scared"
    " nervous stressed done ill sick cool awesome amazing fun crazy hard easy important different same hungry"
    " bored late early up down over out off in on"
)
NOUN_OR_VERB = _words(
    "work love need call visit study plan play run start move help report show cost change look walk talk"
    " dance travel paint drive drink cook dream hope stay state place name age aim answer attack attempt"
    " award base bear benefit book break build buy care cause chat claim climb close comment control cover"
    " cross cut date deal deposit design desire die direct drop end escape exchange exercise experience face"
    " fall father fear feature feel fight film find fish fly focus force form fund grant guard guide hand"
    " hike host hunt increase interest issue joke judge jump kick kiss land laugh lead leave lie limit link"
    " list live lock mark market matter mean meet mind miss model mother note offer open order park part pass"
    " pay phone photograph place plant point post practice practise present press produce program progress"
    " promise question race rain raise range rate reach read record release rent research rest result return"
    " rise risk role rule sail save score search sense serve set shape share ship shop sign sleep smell smile"
    " smoke sound spot stand star step stop strike struggle style support surprise swim switch talk taste"
    " teach test text thought time touch tour trade train treat trip try turn type use value view volunteer"
    " vote wait want watch water win wonder worry yield access address challenge chair command concern"
    " contact contest contrast count damage debut delay demand dispute document estimate gain hit hold"
    " influence joint label launch like loss measure mention murder narrow object network nurse pilot process"
    " profit project purchase rank rebel remark request rescue reserve review ride sample screen seat ski"
    " spell sport stage stock store stress study supply survey target term title track transfer transport"
    " trouble trust upset waste welcome wish"
)
# Who somebody is to somebody else; "X is A's daughter" becomes (X, daughter of, A).
ROLES = _words(
    "mother father mom mum dad mama papa parent sister brother sibling twin daughter son child kid baby wife"
    " husband spouse partner fiance fiancé fiancee fiancée girlfriend boyfriend ex friend buddy mate roommate"
    " flatmate housemate neighbour neighbor colleague coworker co-worker boss manager mentor mentee student"
    " teacher tutor coach therapist doctor dentist lawyer assistant client customer uncle aunt cousin nephew"
    " niece grandmother grandfather grandma grandpa grandson granddaughter grandchild stepmother stepfather"
    " stepson stepdaughter stepbrother stepsister godmother godfather mother-in-law father-in-law"
    " sister-in-law brother-in-law son-in-law daughter-in-law dog cat puppy kitten horse pet guide nanny"
    " babysitter landlord landlady hero idol rival enemy widow widower heir"
)
# Objects that tell nothing.
VAGUE = _words(
    "lot lots thing things stuff bit way ways kind sort times anything something everything ones difference"
    " key fun sense part reason point case fact idea place moment moments one it"
)
# What somebody has exactly one of; "A's birthday is X" becomes (A, birthday is, X).
ATTRIBUTES = _words(
    "name surname nickname birthday birthplace hometown age job occupation profession title nationality"
    " religion address email e-mail phone mobile number hobby goal dream dish food meal drink colour color book"
    " movie film song band artist author show game sport team animal season subject language city country"
    " restaurant place flavour flavor allergy diet height weight size salary employer company school"
    " university major username handle zodiac sign instrument capital currency population"
)

# Lower-case words inside names.
NAME_LINKS = _words("of the de da do dos das del della di du la le les van von der den el al bin ibn y")
# Words that no name begins with.
CLOSED = (
    DETERMINERS | POSSESSIVES | PRONOUNS | PREPOSITIONS | CONJUNCTIONS | SUBORDINATORS | RELATIVES | NEGATIONS
    | (MODALS - {"will", "may"}) | frozenset(AUXILIARIES)
)  # fmt: skip
# Words that begin sentences without being names.
COMMON = (
    CLOSED | PARTICLES | MODALS | NUMBERS | ADVERBS | TIMES | ADJECTIVES | NOUN_OR_VERB | ROLES | HYPOTHETICAL
    | UNCERTAIN | frozenset(VERB_FORMS)
    | _words(
        "hey hi hello wow thanks thank yeah yes yep yup nope oh ah aw aww haha lol ok okay cheers bye goodbye"
        " welcome congrats congratulations gosh woah woohoo yay gotcha aha mhm hmm omg ugh whoa huh btw lot"
        " lots people things thing everyone wonderful fantastic excellent brilliant perfect glad exciting"
        " incredible interesting impressive inspiring powerful absolutely exactly indeed certainly although"
        " according due given based dear guys guess gotta gonna wanna lemme dont im ive its thats whats lets"
        " let because like whose where today yesterday tomorrow"
        " speaking sounds looks seems kids family friends nothing everything anything bit man"
        " girl boy woman men women"
    )
)  # fmt: skip
