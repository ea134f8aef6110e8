"""Capitalised words after "I'm" and "My name is" that are no names: peoples, faiths, parties and feelings."""

_ENGLISH = """
able afraid african alright american arab argentinian asian australian austrian belgian black brazilian british
canadian catholic chilean chinese colombian conservative cuban czech danish dead deaf democrat dutch egyptian english
european excited fine finnish french german glad god good great greek grateful happy hindu hungarian icelandic indian
iranian iraqi irish israeli italian japanese jewish just kenyan korean latina latino lebanese mexican mud muslim new
nigerian norwegian ok okay pakistani palestinian persian polish portuguese pro protestant proud ready really
republican romanian russian scottish serbian sorry spanish still sure swedish swiss syrian taiwanese team thai
thankful thrilled turkish ukrainian vegan vegetarian very vietnamese welsh white wrong
"""
NO_NAMES = frozenset(_ENGLISH.split())
