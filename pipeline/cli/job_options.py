"""The options of a job on the command line, one for each field of `Options`."""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any, get_args, get_origin, get_type_hints

import typer
from pydantic import ValidationError

from pipeline.cli.terminal import exit_usage
from pipeline.types import Options


def with_job_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of `Options`, and pass the values to it as `options`.

    Args:
        command: takes keyword arguments, `options` among them; the options follow its own first two parameters.
    """
    own = [it for it in signature(command).parameters.values() if it.name != "options"]
    parameters = [it.replace(kind=Parameter.KEYWORD_ONLY) for it in (*own[:2], *_parameters(), *own[2:])]

    def call(**given: Any) -> None:
        command(options=read({name: given.pop(name) for name in Options.model_fields}), **given)

    call.__doc__ = command.__doc__
    call.__name__ = command.__name__
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {it.name: it.annotation for it in parameters}
    return call


def _parameters() -> list[Parameter]:
    hints = get_type_hints(Options)
    return [_parameter(name, hints[name]) for name in Options.model_fields]


def _parameter(name: str, hint: Any) -> Parameter:
    field = Options.model_fields[name]
    help_text = (field.description or "").partition("\n\n")[0].replace("\n", " ")
    default: Any = field.default
    metavar = None
    if get_origin(hint) is tuple:
        # typer supports no list of a Literal; `Options` checks each item.
        choices = get_args(get_args(hint)[0])
        metavar = f"[{'|'.join(choices)}]" if choices else None
        hint, default = list[str] | None, None
        help_text += " May be given several times."
    if bool in get_args(hint):
        hint, metavar = str | None, "on|off|NUMBER"  # typer supports no unions; `Options` checks the text
    option: Any = typer.Option(default, _flag(name), help=help_text, metavar=metavar)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=option, annotation=hint)


def _flag(name: str) -> str:
    """Return the option of a field; a list field has a singular name, since each use gives one item."""
    is_list = get_origin(get_type_hints(Options)[name]) is tuple
    return f"--{(name.removesuffix('s') if is_list else name).replace('_', '-')}"


def read(given: dict[str, Any]) -> Options:
    """Return the options, or end the command with one sentence if a value is invalid."""
    try:
        return Options.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        exit_usage(f"{_flag(name)}: {error.errors()[0]['msg']}.")
