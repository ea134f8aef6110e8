"""The options of a job on the command line."""

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli.job_options import with_job_options
from pipeline.types import Options

given: list[Options] = []


@with_job_options
def command(place: str, to: str, options: Options) -> None:
    """Note the options."""
    given.append(options)


def call(*arguments: str) -> int:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, ["a.mp3", "results", *arguments]).exit_code


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), Options()),
        (("--leg", "whisper"), Options(legs=("whisper",))),
        (("--task", "translate", "--mixed-languages"), Options(task="translate", mixed_languages=True)),
        (("--question", "Who?", "--question", "Why?", "--reply"), Options(questions=("Who?", "Why?"), reply=True)),
        (("--vocabulary", "Ada", "--translate-to", "German"), Options(vocabulary=("Ada",), translate_to="German")),
        (("--language", "de", "--second-opinion", "off"), Options(language="de", second_opinion="off")),
        (("--language", "nb_NO.UTF-8"), Options(language="no")),
        (("--language", "auto"), Options()),
    ],
)
def test_every_option_of_a_job_can_be_given(arguments: tuple[str, ...], options: Options) -> None:
    given.clear()

    assert call(*arguments) == 0
    assert given == [options]


@pytest.mark.parametrize("arguments", [("--leg", "third"), ("--task", "sing"), ("--language", "klingon")])
def test_a_value_that_does_not_fit_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    given.clear()

    assert call(*arguments) == 2
    assert not given
