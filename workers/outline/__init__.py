"""An outline made of the transcript alone, for episodes that Voxtral did not hear.

No model: the words that this episode uses more than its language does are its topics (keyness, Dunning,
1993), the sentences most like all others its summary (LexRank, Erkan and Radev, 2004), and a chapter begins
where the words change (kernel change points, Arlot et al., 2019). Everything is quoted from the transcript,
nothing is put anew. The frequencies of words come from wordfreq, the ends of sentences from sentencex, the
rest from scikit-learn, networkx and ruptures.
"""

from workers.outline.outline import outline

__all__ = ["outline"]
