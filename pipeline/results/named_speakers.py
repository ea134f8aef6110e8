"""The names of a new result's speakers, from all sources: the user's before those that were found."""

from pipeline.results.known_people import people_of
from pipeline.results.name_evidence import names_said
from pipeline.results.speaker_names import carried_over, with_found_names
from pipeline.results.speakers import with_speakers
from pipeline.results.voxtral_names import by_speaker
from pipeline.types import Analysis, Diarization, EpisodeResult, JobSpec, MergedTranscript


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
        if not transcript.speakers and spec.options.runs("speakers"):
            transcript = _with_earlier_speakers(transcript, public)
        transcript = carried_over(transcript, public)
    if analysis:
        transcript = with_found_names(transcript, by_speaker(analysis.speakers, transcript), "voxtral")
    return with_found_names(transcript, names_said(transcript, people_of(spec, analysis)), "transcript")


def _with_earlier_speakers(transcript: MergedTranscript, public: EpisodeResult) -> MergedTranscript:
    """Return the transcript with the speakers of an earlier result if a user named them, as the audio is the same."""
    earlier = public.transcript
    if earlier is None or all(it.name_source != "user" for it in earlier.speakers):
        return transcript
    found = Diarization(turns=earlier.turns, speakers=earlier.speakers, audio_s=earlier.audio_s, model="")
    return with_speakers(transcript, found)
