"""The data types of Duet: frozen models with units in their field names."""

from pipeline.types.analysis import (
    ActionItem,
    Analysis,
    Chapter,
    CustomAnswer,
    KeyPoint,
    Mention,
    NamedSpeaker,
    Quote,
    Respelling,
    Sentiment,
    Timestamped,
    Unread,
)
from pipeline.types.context import NO_CONTEXT, Context
from pipeline.types.file_tags import FileTags
from pipeline.types.job import (
    FINAL_STATES,
    LEGS,
    MODEL_LEGS,
    Episode,
    JobSpec,
    JobState,
    Leg,
    ModelLeg,
    Options,
    OwnQuestion,
)
from pipeline.types.merged import MergedSegment, MergedTranscript, MergedWord
from pipeline.types.model import Model
from pipeline.types.publication import Person, Publication, PublishedFile
from pipeline.types.result import EpisodeResult, LegOutcome
from pipeline.types.second_opinion import AlternativeTranscript, SecondOpinion, TimeSpan
from pipeline.types.speakers import Diarization, Speaker, SpeakerTurn
from pipeline.types.status import JobStatus
from pipeline.types.transcript import Segment, Transcript, Word
from pipeline.types.usage import LegUsage, UsageStats

__all__ = [
    "FINAL_STATES",
    "LEGS",
    "MODEL_LEGS",
    "NO_CONTEXT",
    "ActionItem",
    "Analysis",
    "Timestamped",
    "Chapter",
    "Context",
    "Episode",
    "EpisodeResult",
    "FileTags",
    "UsageStats",
    "JobSpec",
    "JobState",
    "JobStatus",
    "KeyPoint",
    "Leg",
    "LegUsage",
    "LegOutcome",
    "Mention",
    "MergedSegment",
    "MergedTranscript",
    "MergedWord",
    "NamedSpeaker",
    "Model",
    "ModelLeg",
    "Options",
    "CustomAnswer",
    "Diarization",
    "OwnQuestion",
    "Person",
    "Publication",
    "PublishedFile",
    "Quote",
    "Respelling",
    "AlternativeTranscript",
    "SecondOpinion",
    "Segment",
    "Sentiment",
    "Speaker",
    "SpeakerTurn",
    "TimeSpan",
    "Unread",
    "Transcript",
    "Word",
]
