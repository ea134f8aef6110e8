"""Extractive outline of a transcript, for episodes that Voxtral did not analyze.

It needs no model. Topics are the words that are more frequent in the episode than in its language (keyness, Dunning,
1993). The summary consists of the most central sentences (LexRank, Erkan and Radev, 2004). Chapters begin where the
vocabulary changes (kernel change points, Arlot et al., 2019); those that Voxtral titles begin there too. All text is
quoted from the transcript. Word frequencies come from wordfreq, sentence boundaries from sentencex, the rest from
scikit-learn, networkx and ruptures.
"""

from workers.outline.boundaries import transcript_parts
from workers.outline.outline import outline

__all__ = ["outline", "transcript_parts"]
