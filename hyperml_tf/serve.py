r"""Serves an exported model over HTTP, by the REST API of TensorFlow Serving.

python -m hyperml_tf.serve --model=export/mine --port=8501
curl localhost:8501/v1/models/mine:predict -d '{"inputs": {"user_ids": ["u1"]}}'
"""

import ipaddress
import pathlib
import socket

from absl import flags, logging

from hyperml_tf import command_line
from hyperml_tf.errors import InputError

_MODEL = flags.DEFINE_string(
    "model", None, "This is an export, or a folder of exports named 1, 2, …."
)
_NAME = flags.DEFINE_string(
    "name", None, "The model is served under this name, by default that of its folder."
)
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "The server listens at this address; 0.0.0.0: at all."
)
_PORT = flags.DEFINE_integer(
    "port", 8501, "The server listens at this port; 0: at one that is free.", 0, 65535
)
_MAX_BYTES = flags.DEFINE_integer(
    "max_request_bytes", 1 << 20, "A longer request is refused.", 1
)
_MAX_K = flags.DEFINE_integer("max_k", 1000, "A larger k is refused.", 1)
_MAX_IDS = flags.DEFINE_integer(
    "max_ids", 1000, "A request for more users or items is refused.", 1
)
_POLL_SECONDS = flags.DEFINE_float(
    "poll_seconds", 1.0, "A newer export is looked for this often.", 0.01
)

# Users or items of a joined call, and requests that may wait.
_BATCH, _WAITING = 256, 1024
# Requests that have begun may take this long when the server has to end.
_SECONDS_TO_END = 30


def main() -> None:
    """Serves until a signal, then answers what it has begun."""
    if not _MODEL.value:
        raise InputError("--model=FOLDER is missing, e.g. --model=export/mine")
    try:
        import uvicorn

        from hyperml_tf.serving.rest import batching, versions, web
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn"):
            raise
        raise InputError(
            f"the server needs the package {error.name}: pip install fastapi uvicorn"
        ) from None

    folder = pathlib.Path(_MODEL.value)
    name = _NAME.value or folder.resolve().name
    with _bound() as listener:
        served = versions.Versions(folder)
        done = served.refresh_every(_POLL_SECONDS.value)
        batcher = batching.Batcher(_BATCH, _WAITING)
        limits = web.Limits(_MAX_BYTES.value, _MAX_K.value, _MAX_IDS.value)
        app = web.application(name, served, batcher, limits)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="error",
                access_log=False,
                timeout_graceful_shutdown=_SECONDS_TO_END,
            )
        )
        listener.listen(_WAITING)
        host, port = listener.getsockname()[:2]
        at = f"[{host}]" if ":" in host else host
        logging.info("ready: http://%s:%d/v1/models/%s", at, port, name)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn passes the signal on when it has ended
            pass
        done.set()
        batcher.close()
    logging.info("ended")


def _bound() -> socket.socket:
    """A socket that has the address, but does not listen yet: nothing is ready."""
    host, port = _HOST.value, _PORT.value
    try:
        (family, *_, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise InputError(
            f"cannot listen at {host}:{port} ({error.strerror}); give another --port "
            "or --host"
        ) from None
    if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        logging.warning("whoever reaches %s may ask: there are no passwords", host)
    return listener


def run() -> None:
    """Runs this command with the flags of the process."""
    command_line.run(main, __doc__)


if __name__ == "__main__":
    run()
