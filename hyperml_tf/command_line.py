"""What the commands share: flags, messages, exit codes.

0 done; 1 a run failed; 2 bad usage or input, with one line that says what, where and
the remedy; 3 datasets skipped for want of files; 130 interrupted.
"""

import atexit
import io
import logging as standard_logging
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

from absl import app, flags, logging

from hyperml_tf import kernels, reproduction, runtime
from hyperml_tf.errors import InputError, RunError

if TYPE_CHECKING:  # else --help would load TensorFlow
    from hyperml_tf.reproduction.executors import Executor

FLAGS = flags.FLAGS

_INTERRUPTED = "interrupted; the same command goes on where it was"

_in_cluster = False


def define_folders() -> tuple[flags.FlagHolder, flags.FlagHolder]:
    """The flags --data_dir and --runs_dir, which every command knows alike."""
    data_dir = flags.DEFINE_string(
        "data_dir", "data", "Prepared datasets are read from this folder."
    )
    runs_dir = flags.DEFINE_string("runs_dir", "runs", "Runs are kept in this folder.")
    return data_dir, runs_dir


def define_kernel() -> flags.FlagHolder:
    """The flag --kernel of the commands that train."""
    return flags.DEFINE_enum(
        "kernel",
        "auto",
        kernels.CHOICES,
        "This kernel does the steps; auto is fused wherever possible.",
    )


def define_op_determinism() -> flags.FlagHolder:
    """The flag --op_determinism of the commands that train."""
    return flags.DEFINE_bool(
        "op_determinism",
        False,
        "Only deterministic kernels are used; a GPU then repeats its bits, slowly.",
    )


def define_repetitions() -> tuple[flags.FlagHolder, ...]:
    """The flags --seeds, --epochs and --eval_every of what repeats configurations."""
    seeds = flags.DEFINE_integer(
        "seeds", 5, "Each configuration is run with this many seeds.", 1
    )
    epochs = flags.DEFINE_integer(
        "epochs", None, "Runs last this many epochs, whatever their config says.", 1
    )
    eval_every = flags.DEFINE_integer(
        "eval_every",
        None,
        "Runs validate at this interval, whatever their config says.",
        1,
    )
    return seeds, epochs, eval_every


def define_execution() -> tuple[flags.FlagHolder, flags.FlagHolder]:
    """The flags of the commands that start many runs; returns those of the folders."""
    flags.DEFINE_enum(
        "executor",
        "local",
        ("local", "ray"),
        "Runs go on here, or on the Ray cluster at RAY_ADDRESS.",
    )
    flags.DEFINE_integer(
        "jobs", None, "This many runs go on at a time; the default is one per core.", 1
    )
    flags.DEFINE_integer("threads", 1, "Each run uses this many TensorFlow threads.", 0)
    define_kernel()
    define_op_determinism()
    return define_folders()


def executor() -> "Executor":
    """The `reproduction.executors.Executor` that the flags ask for."""
    from hyperml_tf.reproduction import executors

    options = executors.Options(
        threads=FLAGS.threads,
        data_dir=FLAGS.data_dir,
        runs_dir=FLAGS.runs_dir,
        kernel=FLAGS.kernel,
        op_determinism=FLAGS.op_determinism,
    )
    return executors.make(FLAGS.executor, FLAGS.jobs, options)


def run(
    main: Callable[..., int | None], description: str, words: Sequence[str] = ()
) -> None:
    """Parses flags, calls `main`, and ends the process with its exit code.

    Args:
        main: returns an exit code, None for 0; it is called with the word, if there
            is one.
        description: shown by --help above the flags.
        words: what may be given besides flags, at most one of them.
    """
    runtime.set_environment()  # before a config file can load TensorFlow
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a title that a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    _find_matplotlib_a_home()
    app.run(
        lambda arguments: _guarded(lambda: main(*arguments[1:])),
        flags_parser=lambda arguments: _parse(
            arguments, main.__module__, description, words
        ),
    )


def _find_matplotlib_a_home() -> None:
    """A temporary folder for matplotlib, which cannot be imported without a home."""
    try:
        pathlib.Path.home()
    except RuntimeError:
        if "MPLCONFIGDIR" not in os.environ:
            folder = tempfile.mkdtemp(prefix="matplotlib-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            os.environ["MPLCONFIGDIR"] = folder


def _parse(
    arguments: list[str], module: str, description: str, words: Sequence[str]
) -> list[str]:
    arguments = [_with_committed_file(argument) for argument in arguments]
    asked = [a for a in arguments[1:] if a in ("--help", "-h", "-help")]
    if asked and not any(a.startswith("--config=") for a in arguments):
        print(_help(module, description))
        sys.exit(0)
    arguments = [a for a in arguments if a not in asked]
    _refuse_missing_config(arguments)
    try:
        rest = FLAGS(arguments)
    except (flags.Error, InputError) as error:
        _fail(str(error), 2)
    except AttributeError as error:  # ml_collections: a field that is not there
        _fail(f"this model's config has no such field: config.{_unquoted(error)}", 2)
    except Exception as error:  # a config file is the user's code: anything may come
        _fail(f"{type(error).__name__}: {error}", 2)
    if asked:
        print(_help(module, description), _fields(), sep="\n\n")
        sys.exit(0)
    unexpected = [word for word in rest[1:2] if word not in words] or rest[2:]
    if unexpected:
        _fail(f"unexpected argument {unexpected[0]!r}; see --help", 2)
    log_to(sys.stdout)
    return rest


def _with_committed_file(argument: str) -> str:
    """A path run_configs/FILE that is not below the working folder, in the package."""
    named = re.fullmatch(r"(|--?config=)run_configs/([\w-]+\.py)(:.*)?", argument)
    if not named or pathlib.Path("run_configs", named[2]).exists():
        return argument
    return f"{named[1]}{reproduction.FOLDER / named[2]}{named[3] or ''}"


def _refuse_missing_config(arguments: list[str]) -> None:
    for argument in arguments:
        flag, _, value = argument.partition("=")
        file = pathlib.Path(value.partition(":")[0])
        if flag.lstrip("-") == "config" and not file.is_file():
            _fail(
                f"{argument}: there is no file {file}; name one of run_configs/, such "
                "as run_configs/ml1m.py, or run_configs/own_table.py for a table of "
                "your own",
                2,
            )


def _unquoted(error: Exception) -> str:
    # ml_collections passes on the repr of a KeyError: quotes and newlines escaped.
    return re.sub(r"\\n", "; ", str(error)).translate({ord(c): None for c in "\\'\""})


def _help(module: str, description: str) -> str:
    by_module = FLAGS.flags_by_module_dict()
    # absl knows the program's own module by argv[0].
    own = sys.argv[0] if module == "__main__" else module
    ours = by_module.get(own, []) + by_module.get(__name__, [])
    width = max(len(flag.name) for flag in ours)
    lines = [description.strip(), "", "flags:"]
    for flag in ours:
        text = flag.help.partition(";\n")[0]  # what absl adds to repeatable flags
        default = flag.default
        if isinstance(default, list):
            default = ",".join(default)
        if default not in (None, "") and default is not False:
            text += f" [{default}]"
        lines.append(f"  --{flag.name:<{width}}  {text}")
    return "\n".join(lines)


def _fields() -> str:
    """The fields of the config that --config names."""
    from hyperml_tf.training import configuration

    return configuration.described(FLAGS.config)


def _guarded(main: Callable[[], int | None]) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = main() or 0
    except InputError as error:
        _fail(str(error), 2)
    except RunError as error:
        _fail(str(error), 1)
    except BrokenPipeError:  # whoever reads our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or ''}", 2)
    except KeyboardInterrupt:
        _fail(_INTERRUPTED, 130)
    if _in_cluster:
        leave(code)
    return code


def _interrupt(number: int, frame: types.FrameType | None) -> NoReturn:
    """A plain `kill` ends as Ctrl-C does: files are closed, one line is printed.

    Within an import the process ends at once: TensorFlow's imports turn what is raised
    into errors of their own.
    """
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            _print_message(_INTERRUPTED)
            leave(130)
        frame = frame.f_back
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> NoReturn:
    _print_message(message)
    if _in_cluster:
        leave(code)
    sys.exit(code)


def join_cluster() -> None:
    """From now on this process ends by `leave`, however it ends."""
    global _in_cluster
    _in_cluster = True


def abort(message: str) -> NoReturn:
    """Ends the process with exit code 1 and one line, from any thread, see `leave`."""
    _print_message(message)
    leave(1)


def leave(code: int) -> NoReturn:
    """Ends a process of a cluster, waiting for nothing.

    TensorFlow's own way out waits for threads that ask for other processes.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _print_message(message: str) -> None:
    # TensorFlow warns of what it drops at the end, after the one line that helps.
    standard_logging.disable()
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)


def log_to(stream: TextIO) -> None:
    """Logs in plain lines, without absl's prefix."""
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    handler = standard_logging.StreamHandler(stream)
    handler.setFormatter(
        standard_logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S")
    )
    handler.addFilter(_is_ours_or_warning)
    logger = logging.get_absl_logger()
    logger.propagate = False
    logger.handlers.clear()
    logger.addHandler(handler)
    # On a new machine it reports the fonts that it finds, by way of the root logger.
    standard_logging.getLogger("matplotlib").setLevel(standard_logging.WARNING)
    standard_logging.getLogger("tensorflow").addFilter(_is_no_retracing)


def _is_no_retracing(record: standard_logging.LogRecord) -> bool:
    # A report traces each of its models once, which TensorFlow takes for one function
    # that is traced again and again.
    return "triggered tf.function retracing" not in record.getMessage()


def _is_ours_or_warning(record: standard_logging.LogRecord) -> bool:
    # TensorFlow logs its internals through absl too.
    ours = os.path.dirname(__file__) in record.pathname
    return ours or record.levelno >= standard_logging.WARNING
