"""What flows through Duet: frozen models with units in their names."""

from pipeline.types.analysis import (
    ActionItem,
    Analysis,
    Anchored,
    Chapter,
    KeyPoint,
    Mention,
    OwnAnswer,
    Quote,
    Sentiment,
)
from pipeline.types.job import (
    FINAL_STATES,
    LEGS,
    Episode,
    JobSpec,
    JobState,
    Leg,
    Options,
    OwnQuestion,
    Publication,
    PublishedFile,
)
from pipeline.types.merged import MergedSegment, MergedTranscript, MergedWord
from pipeline.types.model import Model
from pipeline.types.result import EpisodeResult, LegOutcome
from pipeline.types.second_opinion import Reading, SecondOpinion, Stretch
from pipeline.types.transcript import Segment, Transcript, Word
from pipeline.types.usage import Figures, LegFigures

__all__ = [
    "FINAL_STATES",
    "LEGS",
    "ActionItem",
    "Analysis",
    "Anchored",
    "Chapter",
    "Episode",
    "EpisodeResult",
    "Figures",
    "JobSpec",
    "JobState",
    "KeyPoint",
    "Leg",
    "LegFigures",
    "LegOutcome",
    "Mention",
    "MergedSegment",
    "MergedTranscript",
    "MergedWord",
    "Model",
    "Options",
    "OwnAnswer",
    "OwnQuestion",
    "Publication",
    "PublishedFile",
    "Quote",
    "Reading",
    "SecondOpinion",
    "Segment",
    "Sentiment",
    "Stretch",
    "Transcript",
    "Word",
]
