"""Capitalised words after "I'm" and "My name is" that are no names: peoples, faiths, parties, signs and feelings."""

_ENGLISH = """
able afraid african alright american aquarius arab argentinian aries asian asperger australian austrian belgian black
bolivian bosnian brazilian british canadian capricorn caribbean catholic chilean chinese colombian conservative
croatian cuban czech dad daddy danish dead deaf democrat dutch eastern egyptian english estonian ethiopian european
excited fine finnish french gemini gen generation german ghanaian glad god good grateful great greek happy hawaiian
hindu hispanic hungarian icelandic indian iranian iraqi irish israeli italian jamaican japanese jewish just kenyan
korean latina latino latvian lebanese leo libra libyan lithuanian mexican midwestern mom mommy moroccan mud mum muslim
nepali new nigerian north northern norwegian ok okay pakistani palestinian persian peruvian pisces polish portuguese
pro protestant proud puerto ready really republican romanian russian sagittarius saudi scorpio scottish serbian slovak
slovenian somali sorry south southern spanish sri still sudanese sure swedish swiss syrian taiwanese taurus team texan
thai thankful thrilled tunisian turkish type ukrainian vegan vegetarian venezuelan very vietnamese virgo welsh western
white wrong
"""
NO_NAMES = frozenset(_ENGLISH.split())
