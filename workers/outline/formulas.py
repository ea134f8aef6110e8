"""Sentences that frame an episode and say nothing of its subject: greetings, sign-offs, requests and advertisements."""

import re
from collections.abc import Sequence
from functools import cache

from workers.outline.keyness import Keyness
from workers.outline.sentences import Sentence

EDGE_S = 20.0
"""Seconds at the start and the end of an episode in which its language's formulas, if they are unknown, may stand."""
_FEWEST_SHARED = 2
"""Keywords that a sentence at an edge must share with the rest of the episode to be about its subject."""
PHRASES = {
    "en": (
        r"welcome (?:back )?(?:to|everyone)",
        r"^(?:hello|hi|hey|good (?:morning|afternoon|evening))\b",
        r"(?:glad|happy|great|good) (?:that )?(?:you could join|to have you|you're here|you are here)",
        r"thank(?:s| you)(?: (?:so|very) much| all)?,? for (?:listen|watch|join|tuning|having|being (?:here|with))",
        r"see you (?:next|soon|then|there|again|tomorrow|in the next|on)",
        r"(?:see|talk to|speak to|catch) you (?:all )?(?:next|soon|later|again)",
        r"until (?:then|next (?:time|week|episode))|tune in (?:next|again)|join us (?:next|again|for the next)",
        r"that(?:'s| is) (?:it|all) (?:for|from) (?:today|now|us|me|this)",
        r"(?:this|that|which) (?:is|brings us to) the end of (?:our|the|this|today's)",
        r"good ?bye|bye[- ]bye|stay tuned|be right back|after (?:the|a|this) (?:short )?break",
        r"have a (?:great|good|nice|lovely|wonderful) (?:day|night|week|weekend|evening)",
        r"(?:you're|you are|you've been) listening to|my name is|with me (?:is|are|today)|^next (?:week|time)\b",
        r"(?:i'm|i am) your host|(?:we're|we are) your hosts",
        r"if you(?:'ve)? (?:like|liked|enjoy|enjoyed) (?:this|the|our|what)",
        r"(?:please|don't forget to|make sure to|like and|hit|to) subscribe",
        r"subscribe (?:to (?:our|the|this|my)|on|wherever)",
        r"(?:sponsored|brought to you|presented|supported) by|(?:our|today's|this week's) sponsors?",
        r"(?:promo|discount|offer|coupon) code|use (?:the |our )?code|free trial|(?:percent|%) off|patreon",
        r"(?:five|5)[- ]star|leave (?:us )?a (?:review|rating|comment)|rate and review|follow us|get your podcasts",
        r"link(?:s|ed)? (?:is |are )?in the (?:description|show ?notes)",
    ),
    "de": (
        r"willkommen\b",
        r"^(?:hallo|hi|servus|moin|gr[üu](?:ß|ss) (?:gott|euch)|guten (?:tag|morgen|abend))\b",
        r"(?:dank|danke)\w*,? (?:fürs|für(?: das| dein| euer| ihr)?) ?(?:zuh|zusch|einsch|dabei|interesse)",
        r"sch[öo]n,? dass (?:ihr|sie|du)\b|dass (?:ihr|sie|du) (?:wieder )?(?:dabei|zugehört|eingeschaltet)",
        r"bis (?:zum n[äa]chsten|n[äa]chste|zur n[äa]chsten|bald|dann|dahin|demn[äa]chst|morgen)\b",
        r"auf wieder(?:hören|sehen|schauen)|tsch[üu]ss?|macht'?s gut",
        r"das war(?:'s|en|s)? (?:f[üu]r heute|die|unsere|der|es f[üu]r)",
        r"abonnier|rabattcode|gutscheincode|bewertet uns|folgt uns|wo es podcasts gibt",
        r"(?:gesponsert|pr[äa]sentiert|unterst[üu]tzt) (?:von|durch)|werbepartner|sponsor",
        r"sch[öo]ne[nsr]? (?:tag|abend|sonntag|woche|wochenende)\b",
    ),
    "fr": (
        r"bienvenue\b",
        r"^(?:bonjour|bonsoir|salut|coucou)\b",
        r"merci (?:beaucoup |à (?:tous|vous) )*(?:de |d'|pour )(?:nous |m')?(?:avoir )?(?:l')?(?:écout|suivi|votre)",
        r"à (?:bientôt|très (?:vite|bientôt)|demain|la (?:semaine )?prochaine)|au revoir",
        r"rendez-vous (?:la semaine|demain|au prochain|dans)",
        r"abonne(?:z-vous|-toi|r)\b|sponsoris|en partenariat|notre partenaire|code promo",
        r"c'est (?:tout|la fin|déjà la fin)|laiss(?:ez|e)(?:-nous|-moi)? (?:un|une|des|cinq)|suivez-nous",
        r"bonne (?:journée|soirée|semaine|écoute)|vous écoutez",
    ),
    "es": (
        r"bienvenid[oa]s?\b",
        r"^[¡!]?(?:hola|buen[oa]s (?:días|tardes|noches)|buen día)\b",
        r"gracias (?:a todos )?por (?:escuch|acompañ|estar|sintoniz|vernos|su|tu|vuestra)",
        r"hasta (?:la próxima|luego|pronto|mañana|el próximo|la semana)",
        r"nos (?:vemos|escuchamos|oímos) (?:en|la|el|pronto|mañana)",
        r"suscr[íi]b|patrocinad|código (?:de descuento|promocional)|síguenos|adiós",
        r"(?:eso es|esto ha sido) todo|déja(?:nos|me) (?:un|una|tu)|(?:estás|están) escuchando",
    ),
    "it": (
        r"benvenut[ioae]\b|bentornat[ioae]\b",
        r"^(?:ciao|buongiorno|buonasera|salve)\b",
        r"grazie (?:mille )?(?:per|di|a tutti per) (?:aver|l'ascolto|la vostra|essere)",
        r"alla prossima|a presto|ci (?:vediamo|sentiamo|risentiamo)\b|arrivederci",
        r"iscriv(?:iti|etevi|ersi)|sponsorizzat|offerto da|codice (?:sconto|promo)|seguiteci|seguici",
        r"è tutto (?:per|da)|lasciate(?:ci)? un|state ascoltando",
    ),
    "pt": (
        r"bem[- ]vind[oa]s?\b",
        r"^(?:olá|oi|bom dia|boa (?:tarde|noite))\b",
        r"obrigad[oa]s? (?:a todos )?(?:por|pela) (?:ouvir|escutar|assist|nos|ter|estar|acompanh|su?a|companh|audi)",
        r"até (?:a próxima|à próxima|logo|breve|amanhã|o próximo|a semana|para a semana)",
        r"nos (?:vemos|ouvimos) (?:na|no|em)",
        r"inscreva|subscreva|patrocin|código (?:de desconto|promocional)|sigam?-nos|siga a gente|tchau|adeus",
        r"é (?:isso|tudo) (?:por hoje|aí|pessoal)|(?:você está|estão) ouvindo",
    ),
    "nl": (
        r"welkom\b",
        r"^(?:hallo|hoi|goede(?:morgen|middag|navond))\b",
        r"(?:bedankt|dank (?:je|u)(?: wel)?|dankjewel) (?:voor|dat) (?:het |je |jullie |u )?(?:luister|kijk|aandacht)",
        r"tot (?:de volgende|volgende|ziens|snel|dan|morgen)\b|doei\b",
        r"abonneer|gesponsord|mede mogelijk gemaakt|kortingscode|volg ons|laat een (?:review|beoordeling)",
        r"dit was (?:het|de aflevering|weer)|fijne (?:dag|week|avond)|(?:je|u) luistert naar",
    ),
}
"""Phrases of formulas by language, as regular expressions for a sentence in any case."""


def formulas(spoken: Sequence[Sentence], key: Keyness, language: str) -> frozenset[Sentence]:
    """Return the sentences that are not about the subject; none if no others are left."""
    if language in PHRASES:
        known = _formulas(language)
        found = frozenset(it for it in spoken if known.search(it.text.replace("’", "'")))
    else:
        found = _strangers(spoken, key)
    return found if len(found) < len(spoken) else frozenset()


@cache
def _formulas(language: str) -> re.Pattern[str]:
    return re.compile(
        "|".join(rf"(?:{it})" if it.startswith("^") else rf"\b(?:{it})" for it in PHRASES[language]), re.I
    )


def _strangers(spoken: Sequence[Sentence], key: Keyness) -> frozenset[Sentence]:
    """Return the sentences at the edges of an episode that have little to do with the rest."""
    until_s = spoken[-1].start_s - EDGE_S if spoken else 0.0
    edges = [it for it in spoken if not EDGE_S <= it.start_s <= until_s]
    subject = {word for it in spoken if EDGE_S <= it.start_s <= until_s for word in it.folded if word in key}
    return frozenset(it for it in edges if len(subject.intersection(it.folded)) < _FEWEST_SHARED)
