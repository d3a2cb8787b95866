"""Networks in a process of their own.

Importing torch takes as long as reading a scan, and both want Python's lock; and torch's memory is free again when the
process ends. What goes over its pipes is pickled: requests (a name and arguments) on its standard input, and on its
standard output fractions of progress, then the answer.
"""

import gc
import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ..errors import WorkerDied
from ..progress import Progress

BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv[1]); from CTADefaceLib.network.process import serve; serve()"
LIBRARY_PARENT = Path(__file__).resolve().parents[2]
PROGRESS, ANSWER, ERROR = range(3)


class NetworksApart:
    """The process, started when first needed. It ends with ours in whatever way that ends, as its pipes then close.

    ``volumes_to_come``: when so many are done, it ends; asked again, it starts again.
    """

    def __init__(self):
        self.volumes_to_come = 1
        self._process = None
        self._known = {}

    def begin(self, name):
        """Start the process and let it load the model ``name``, without waiting for it."""
        if self._process is None:
            self._start()
            self._send("begin", name)

    def network(self, name):
        """What ``Network`` is for a model loaded here. Raises: ModelError, DeviceError, WorkerDied."""
        return _NetworkThere(self, name, self.ask("info", name))

    def ask(self, request, *arguments):
        """The answer to a request that always gets the same one."""
        if (request, *arguments) not in self._known:
            self._known[request, *arguments] = self.run(request, *arguments)
        return self._known[request, *arguments]

    def run(self, request, *arguments, progress=None):
        """The answer to a request. Raises: what was raised there, WorkerDied, Cancelled; then the process is gone."""
        self.begin(arguments[0])
        try:
            self._send(request, *arguments)
            kind, content = self._received()
            while kind == PROGRESS:
                if progress is not None:
                    progress.update(content)
                kind, content = self._received()
        except BaseException:
            # An answer that nobody reads any more would be taken for the next one.
            self.end()
            raise
        if kind == ERROR:
            raise content
        return content

    def volume_done(self):
        self.volumes_to_come -= 1
        if self.volumes_to_come < 1:
            self.end()

    def end(self):
        """End the process, if there is one, and give its memory back."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError):  # of what it has not read
                process.stdin.close()
            process.stdout.close()
            process.wait()
        return process

    def _start(self):
        try:
            self._process = subprocess.Popen([sys.executable, "-c", BOOTSTRAP, str(LIBRARY_PARENT)],
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise WorkerDied(f"The process of the network cannot be started ({error.strerror or error}); "
                             "close other programs.") from error

    def _send(self, *request):
        try:
            pickle.dump(request, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def _received(self):
        try:
            return pickle.load(self._process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._died() from None

    def _died(self):
        code = self.end().returncode
        return WorkerDied(f"The process of the network ended without an answer (code {code}); most often memory ran out: "
                          "close other programs, or crop the volume to the head.")


class _NetworkThere:
    def __init__(self, process, name, info):
        self._process, self._name, self.info = process, name, info

    def device(self, name):
        return self._process.ask("device", self._name, name)

    def log_odds(self, data, device="cpu", mirroring=False, step_size=0.5, progress=None):
        return self._process.run("log_odds", self._name, data, device, mirroring, step_size, progress=progress)


def serve():
    """The process: answers requests until standard input ends."""
    # A shell sends Ctrl-C to both; the other one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # torch's modules are a million objects that stay as long as this process.
    gc.disable()
    requests, answers = _private_pipes()

    def say(kind, content):
        try:
            answers.write(pickle.dumps((kind, content), pickle.HIGHEST_PROTOCOL))
            answers.flush()
        except OSError:
            # The other one is gone; at once, as taking torch's modules apart would take long.
            os._exit(1)

    while True:
        try:
            request, model, *arguments = pickle.load(requests)
        except EOFError:
            os._exit(0)
        _answer(request, model, arguments, say)


def _private_pipes():
    """Both pipes, away from the standard handles: what a library prints goes to standard error, and none that looks at
    standard input waits for our reading (numpy/numpy#24290)."""
    pipes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return pipes


def _answer(request, model, arguments, say):
    from .host import network

    progress = Progress(lambda report: say(PROGRESS, report.fraction), {request: 1.0})
    try:
        found = network(model)
        if request == "log_odds":
            progress.enter(request)
            say(ANSWER, found.log_odds(*arguments, progress.part(0, 1)))
        elif request != "begin":
            say(ANSWER, found.info if request == "info" else found.device(*arguments))
    except Exception as error:
        # What was only begun fails again when it is asked for.
        if request != "begin":
            say(ERROR, _portable(error))


def _portable(error):
    """``error``, if it can be made again without torch."""
    if type(error).__module__ in ("builtins", "CTADefaceLib.errors"):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")
