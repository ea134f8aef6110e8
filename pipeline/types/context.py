"""The context of an episode: the names that a model is told before it hears them."""

from dataclasses import dataclass
from typing import Self

from pipeline.types.job import JobSpec


@dataclass(frozen=True)
class Context:
    """The names of an episode as its user and its publisher spell them; both models are told them for that only."""

    show: str = ""
    title: str = ""
    names: tuple[str, ...] = ()
    """The user's vocabulary, then the feed's people, then the names in its title and notes; each once."""

    @classmethod
    def of(cls, spec: JobSpec) -> Self:
        """Return the context of a job."""
        names = spec.options.vocabulary
        published = spec.episode.publication
        if published is None:
            return cls(names=names)
        names += tuple(person.name for person in published.people) + published.names
        return cls(published.show, published.title, tuple(dict.fromkeys(names)))


NO_CONTEXT = Context()
