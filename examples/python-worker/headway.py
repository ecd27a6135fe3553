"""Runs jobs of Headway in Python, through one Redis script (docs/guides/other-languages.md).

Needs redis-py (Debian: python3-redis) and worker.lua; nothing else.

    def resize(job):
        for done, image in enumerate(job.data['images'], 1):
            ...
            job.progress(current=done, total=len(job.data['images']), unit='images')
        return {'images': done}

    headway.Worker('redis://localhost', 'resize').run(resize)

A worker runs one job at a time. Start it several times to run several.
"""

import base64
import json
import os
import signal
import threading
import time
import uuid
from pathlib import Path

import redis as redis_py

# Part of the npm package headway-jobs, and of the build of its repository: copy it to where your worker runs.
SCRIPT = Path(os.environ.get('WORKER_LUA') or
              Path(__file__).resolve().parents[2] / 'dist/shared/bullmq/scripts/worker.lua')


class PermanentError(Exception):
    """Raise it in a job if another attempt would not help."""


class Stop(BaseException):
    """The attempt must end: its job was cancelled, took too long or was lost, or the worker ends.

    Not an Exception, so that `except Exception` in a job does not catch it. Use `finally` to clean up.
    """

    def __init__(self, why):
        super().__init__(why)
        self.why = why


class Worker:
    """url: REDIS_URL of Headway: redis://, rediss:// or unix: with the path of a socket.
    queue: the name of the kind of job. prefix: KEY_PREFIX.
    lock: how long the job of a worker that died stays with it, in seconds.
    """

    def __init__(self, url, queue, *, prefix='headway', lock=30, script=SCRIPT):
        self._url, self._base, self._lock = url, '{%s}:%s:' % (prefix, queue), lock
        self.hold_every = min(1, lock / 4)
        # Tells Headway that somebody serves the queue.
        self._name = '{%s}:%s' % (prefix, base64.b64encode(queue.encode()).decode())
        self._redis = self._connect()
        # Sends EVALSHA, and the script only if the server does not know it.
        self._script = self._redis.register_script(Path(script).read_bytes())
        self._ending = False

    def run(self, handler):
        """Runs `handler(job)` for each job, until the process gets SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        print(f'ready: {self._base[:-1]}', flush=True)
        try:
            while not self._ending:
                token = uuid.uuid4().hex
                kind, *rest = patiently(lambda: self.call('take', token), lambda: self._ending)
                if kind == 'job':
                    self._attempt(Job(self, token, *rest), handler)
                else:
                    # Redis replies as soon as a job is queued.
                    wait = min(1, int(rest[0]) / 1000)
                    patiently(lambda: self._redis.bzpopmin(self._base + 'marker', wait), lambda: self._ending)
        except (redis_py.ConnectionError, redis_py.TimeoutError):
            print('Redis is away: ending without it', flush=True)

    def call(self, command, token, *args):
        reply = self._script(keys=[self._base + 'meta'], args=[command, token, self._lock * 1000, *args])
        return [part.decode() for part in reply]

    @property
    def ending(self):
        return self._ending

    def _attempt(self, job, handler):
        job.start()
        try:
            try:
                result = json.dumps(handler(job), allow_nan=False)
            finally:
                job.flush()
            job.check(ending=False)
            end = ('complete', result)
        except Stop as stop:
            end = {'cancel': ('fail', '', 'cancel'), 'timeout': ('fail', '', 'timeout'),
                   'ending': ('release',)}.get(stop.why)
        except PermanentError as error:
            end = ('fail', text(error), 'permanent')
        except Exception as error:  # Whatever a job raises fails its attempt.
            end = ('fail', text(error) or type(error).__name__)
        finally:
            job.stop()
        if end:
            try:
                self._finish(job, *end)
            except redis_py.ResponseError as error:  # For example, a result with half of a surrogate pair.
                self._finish(job, 'fail', text(error), 'permanent')

    def _finish(self, job, command, *args):
        """Ends the attempt. If only the reply is lost, the second call gets "lost": the job has ended."""
        # A worker that ends waits for Redis as long as nobody else gets the job.
        until = time.monotonic() + self._lock
        patiently(lambda: self.call(command, job.token, job.id, *args),
                  lambda: self._ending and time.monotonic() > until)

    def _end(self, *_):
        self._ending = True

    def _connect(self):
        options = {'client_name': self._name, 'health_check_interval': 15}
        if self._url.startswith('unix:'):
            path = os.path.abspath(self._url[len('unix:'):])
            return redis_py.Redis(unix_socket_path=path, **options)
        return redis_py.Redis.from_url(self._url, **options)


class Job:
    """One attempt of a job. `stopped` is set when it must end: check it where you wait for something."""

    def __init__(self, worker, token, id, name, data, attempt, attempts):
        self.id, self.name, self.data = id, name, json.loads(data)
        self.attempt, self.attempts = int(attempt), int(attempts)
        self.token, self.stopped = token, threading.Event()
        self._worker, self._why = worker, None
        self._lines, self._pending, self._published = 0, None, 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._hold, daemon=True)

    def progress(self, percent=None, **fields):
        """Reports progress: a percentage, or current=, total=, unit=, stage=, message=. Raises Stop if the attempt must end.

        At most ten reports a second are sent. The last one before the end always is.
        """
        self.check()
        self._pending = {k: v for k, v in {'percent': percent, **fields}.items() if v is not None}
        if time.monotonic() - self._published >= 0.1:
            self.flush()
            self.check()

    def log(self, *lines):
        """Adds lines to the log of the job. Raises Stop if the attempt must end."""
        self.check()
        first, self._lines = self._lines + 1, self._lines + len(lines)
        self._send('log', first, *map(text, lines))

    def check(self, ending=True):
        """Raises Stop if the attempt must end. ending: whether it must also end with the worker."""
        why = self._why or (ending and self._worker.ending and 'ending')
        if why:
            raise Stop(why)

    def flush(self):
        """Sends the last report of progress."""
        pending, self._pending = self._pending, None
        if pending is not None and self._why != 'lost':
            self._published = time.monotonic()
            self._send('progress', json.dumps(pending))

    def start(self):
        self._thread.start()

    def stop(self):
        self._done.set()
        self._thread.join()

    def _hold(self):
        """Keeps the lock while the job does something else, and notices within a second that it was cancelled."""
        while not self._done.wait(self._worker.hold_every):
            if self._worker.ending:
                self.stopped.set()
            try:
                self._send('hold')
            except redis_py.RedisError:
                pass  # The job has ended meanwhile, or its next report gets the same error.

    def _send(self, command, *args):
        status, *_ = patiently(lambda: self._worker.call(command, self.token, self.id, *args), self._done.is_set)
        if status != 'ok':
            self._why = status
            self.stopped.set()


def text(value):
    """The text of a value, without halves of surrogate pairs, which UTF-8 cannot represent."""
    return str(value).encode('utf-8', 'replace')


def patiently(call, give_up=lambda: False):
    """Repeats a call while Redis is down."""
    while True:
        try:
            return call()
        except (redis_py.ConnectionError, redis_py.TimeoutError):
            if give_up():
                raise
            time.sleep(0.2)
