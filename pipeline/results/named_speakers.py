"""The names of a new result's speakers, from all sources: the user's before those that were found."""

from pipeline.results.known_people import people_of
from pipeline.results.name_evidence import names_said
from pipeline.results.speaker_names import carried_over, with_found_names
from pipeline.types import Analysis, EpisodeResult, JobSpec, MergedTranscript


def with_names(
    transcript: MergedTranscript, spec: JobSpec, analysis: Analysis | None, public: EpisodeResult | None
) -> MergedTranscript:
    """Return the transcript of a job with the names of its speakers.

    Args:
        transcript: the transcript, whose words have speakers.
        spec: the job.
        analysis: the analysis, if there is one.
        public: the result that is public in the episode's folder, whose names from the user are kept.
    """
    if public and public.episode.id == spec.episode.id:
        transcript = carried_over(transcript, public)
    return with_found_names(transcript, names_said(transcript, people_of(spec, analysis)), "transcript")
