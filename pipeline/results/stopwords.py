"""Stop words of English, German, French and Spanish."""

_ENGLISH = """
a about above actually after again against ah all also always am an and another any anyone anything are
aren't around as at away back basically be because been before being between both but by came can can't
cannot come could couldn't did didn't do does doesn't doing don't done down during each either else er
even ever every everyone everything few first for from get gets getting give go goes going gonna gone
good got great had has have haven't having he he's her here hers him his hmm how i i'd i'll i'm i've if
in into is isn't it it's its itself just kind kinda know last least let let's like little long look lot
lots made make makes many may maybe me mean might mm more most much must my myself need never new next no
nor not nothing now of off oh ok okay old on once one ones only or other our ours out over own people
perhaps probably put quite rather really right said same saw say says see seem seems she should shouldn't
since so some someone something sometimes sort still stuff such sure take than thank thanks that that's
the their them themselves then there there's these they they're thing things think this those though
thought three through time to together too took try trying two uh um under until up upon us use used very
wanna want wanted was wasn't way we we'll we're we've well went were weren't what what's when where which
while who whole why will with within without won't work would wouldn't yeah yep yes yet you you're you've
your yours yourself today day year years week welcome hello
"""
_GERMAN = """
aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist da dabei dadurch
dafür damit dann das dass dem den denn der des die dies diese diesem diesen dieser dieses dir doch dort
du durch ein eine einem einen einer eines einfach er es etwas euch für ganz gar gibt ging habe haben hat
hatte hier hin ich ihm ihn ihr ihre im immer in ist ja jetzt kann kein keine können man mal mehr mein
mich mir mit muss nach nicht nichts noch nun nur ob oder ohne schon sehr sein seine sich sie sind so soll
über um und uns unser unter viel vom von vor war waren was weil wenn wer werden wie wieder will wir wird
wo zu zum zur
"""
_FRENCH = """
ai alors as au aussi autre aux avec avez avoir avons bien c'est ce cela ces cet cette comme d'un d'une
dans de des deux donc du elle elles en encore est et était être eu fait faire fois il ils j'ai je la le
les leur lui là ma mais me même mes moi mon ne nos notre nous on ont ou où par parce pas peu peut plus
pour quand que quel qu'il qui quoi sa sans se ses si son sont sur ta te tes toi ton tous tout toute très
tu un une va vos votre vous y ça
"""
_SPANISH = """
a al algo así aunque bien cada como con cosa cuando de del desde donde dos el él ella ellos en entonces
era eran es esa ese eso esta está están estas este esto estos fue ha hace hacer hay he la las le les lo
los más me mi mis mucho muy nada ni no nos nosotros o otra otro para pero poco por porque pues que qué
quien se ser si sí sin sobre son su sus también tan te tener tengo tiene todo todos tu un una uno unos
vamos y ya yo
"""

STOPWORDS = frozenset(f"{_ENGLISH} {_GERMAN} {_FRENCH} {_SPANISH}".split())
"""Lower case. Some are content words of another language, which costs little when a statement is located."""
