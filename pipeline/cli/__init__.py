"""The command line: one module per command, registered here with an example for its help."""

import signal
import sys
from typing import NoReturn

import typer

from pipeline.cli.ask import ask
from pipeline.cli.beat import beat
from pipeline.cli.bench import bench
from pipeline.cli.cancel import cancel
from pipeline.cli.correct import correct
from pipeline.cli.doctor import doctor
from pipeline.cli.down import down
from pipeline.cli.export import export
from pipeline.cli.failed import failed
from pipeline.cli.flower import flower
from pipeline.cli.forget import forget
from pipeline.cli.keys import keys
from pipeline.cli.ls import ls
from pipeline.cli.metrics import metrics
from pipeline.cli.models import models
from pipeline.cli.name import name
from pipeline.cli.plan import plan
from pipeline.cli.retry import retry
from pipeline.cli.run import run
from pipeline.cli.scale import scale
from pipeline.cli.serve import serve
from pipeline.cli.show import show
from pipeline.cli.status import status
from pipeline.cli.streams import Commands, make_safe, written
from pipeline.cli.submit import submit
from pipeline.cli.terminal import FAILED, print_error
from pipeline.cli.up import up
from pipeline.cli.watch import watch
from pipeline.cli.worker import worker
from pipeline.logs import as_duet_error, sentence_of

app = typer.Typer(
    name="duet",
    cls=Commands,
    help="Transcribe podcast episodes in seconds and analyze them in minutes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(epilog="Example: duet run podcasts/ --to results")(run)
app.command(epilog="Example: duet submit 'shows/**/*.mp3' https://example.org/feed.xml --to s3://bucket/prefix")(submit)
app.command(epilog="Example: duet status last")(status)
app.command(epilog="Example: duet watch 261122-22")(watch)
app.command(epilog="Example: duet cancel last")(cancel)
app.command(epilog="Example: duet ls s3://bucket/prefix")(ls)
app.command(epilog="Example: duet show garden-hour --in results")(show)
app.command(epilog="Example: duet ask garden-hour 'Which tree is it about?'")(ask)
app.command(epilog="Example: duet name garden-hour S1='Ada Example' S2='Tom Reed'")(name)
app.command(epilog="Example: duet correct garden-hour transcript.srt")(correct)
app.command(epilog='Example: duet up, and in another window: python -c "from pipeline import submit; ..."')(up)
app.command(epilog="Example: duet down")(down)
app.command(epilog="Example: DUET_BROKER_URL=redis://host:6379/0 duet worker whisper")(worker)
app.command(epilog="Example: DUET_BROKER_URL=redis://host:6379/0 duet beat")(beat)
app.command(epilog="Example: DUET_FLOWER_AUTH=me:secret duet flower --port 5555")(flower)
app.command(epilog="Example: duet metrics --port 9107")(metrics)
app.command(epilog="Example: duet plan --gpu t4 --whisper medium")(plan)
app.command(epilog="Example: duet bench --paths episode.mp3 --price-per-hour 0.80")(bench)
app.command(epilog="Example: duet export results/show-0123456789abcdef --format srt > show.srt")(export)
app.command(epilog="Example: duet doctor --storage s3://bucket/prefix")(doctor)
app.command(epilog="Example: duet failed --json")(failed)
app.command(epilog="Example: duet retry --failed")(retry)
app.command(epilog="Example: duet forget garden-hour --in results")(forget)
app.command(epilog="Example: duet serve --to s3://bucket/prefix")(serve)
app.add_typer(keys, name="keys")
app.command(epilog="Example: DUET_DRAIN_TARGET_S=1800 duet scale")(scale)
app.add_typer(models, name="models")


def main() -> NoReturn:
    """Run the command line; errors are reported in one sentence, never as a traceback."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    make_safe()
    sys.exit(written(_status()))


def _status() -> int:
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED if ended.code else 0
    except OSError as error:
        print_error(sentence_of(error))
        return FAILED
    except Exception as error:
        print_error(str(as_duet_error(error, "This command")))
        return FAILED
    return 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
