"""The context of an episode: the names that a model is told before it hears them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pipeline.types.job import JobSpec


@dataclass(frozen=True)
class Context:
    """The names of an episode as its user and its publisher spell them; both models are told them for that only."""

    show: str = ""
    title: str = ""
    names: tuple[str, ...] = ()
    """The user's vocabulary, the spellings of the show's rules, the feed's people, and the names in its title and
    notes; each once."""

    @classmethod
    def of(cls, spec: JobSpec, spellings: Iterable[str] = ()) -> Self:
        """Return the context of a job, with the spellings of its show's replacement rules."""
        names = tuple(dict.fromkeys((*spec.options.vocabulary, *spellings)))
        published = spec.episode.publication
        if published is None:
            return cls(names=names)
        names += tuple(person.name for person in published.people) + published.names
        return cls(published.show, published.title, tuple(dict.fromkeys(names)))


NO_CONTEXT = Context()
