"""Shows the progress of a Python task on a Headway channel, through one Redis script (docs/reference/redis-keys.md).

Needs redis-py (Debian: python3-redis) and publish.lua; nothing else.

    with headway.Task(redis, 'public.celery.' + task_id, task_id, 'pack') as task:
        task.progress(current=3, total=10, unit='files')
        task.completed({'files': 10})
"""

import json
import os
import time
import uuid
from pathlib import Path

import redis as redis_py

SCRIPT = Path(__file__).resolve().parents[2] / 'src/shared/channel/scripts/publish.lua'

# The rank of a lifecycle event within its attempt (docs/reference/redis-keys.md, "For a task outside of Headway").
ACTIVE, WAITING, STALLED, RETRYING, ENDED = 0, 2, 3, 4, 8


class Superseded(Exception):
    """Another attempt of this task has begun, so this one must stop."""


class Ended(Exception):
    """The end of this task is already published, so there is nothing to do."""


def connect(url):
    """Connects to a REDIS_URL: redis://, rediss:// or unix: with the path of a socket."""
    if url.startswith('unix:'):
        return redis_py.Redis(unix_socket_path=os.path.abspath(url[len('unix:'):]))
    return redis_py.Redis.from_url(url)


class Task:
    """One attempt of a task, as a context manager: entering it begins the attempt, an exception ends it as failed.

    prefix: KEY_PREFIX. log_length, ttl_ms: CHANNEL_LOG_LENGTH and CHANNEL_TTL_MS.
    interval: minimum time between two progress events, in seconds.
    wait: how long to wait for Redis, in seconds, before its error is raised.
    """

    def __init__(self, redis, channel, task_id, name, *, prefix='headway', log_length=10_000,
                 ttl_ms=86_400_000, interval=0.1, wait=60, script=SCRIPT):
        self.task_id, self.name = task_id, name
        self.attempt = 0
        self._redis = redis
        key = prefix + ':{' + channel + '}'
        self._keys = [key, key + ':log', key + ':slots']
        self._settings = [log_length, ttl_ms]
        self._interval, self._wait = interval, wait
        # Sends EVALSHA, and the script only if the server does not know it.
        self._publish = redis.register_script(Path(script).read_bytes())
        self._command = None
        self._percent, self._published_at, self._pending = 0, 0.0, None

    def waiting(self):
        """Publishes `waiting`. Call it before the task is queued."""
        self._lifecycle('waiting', WAITING, 0, {})

    def __enter__(self):
        """Begins the next attempt. Raises Ended if the task has ended."""
        while True:
            end, attempt = self._patiently(lambda: self._redis.hmget(self._keys[0], 'end', 'attempt'))
            if end is not None:
                raise Ended(self.task_id)
            before = int(attempt or 0)
            if before > 0:
                # The script refuses this if the end of that attempt is already published.
                self._lifecycle('stalled', STALLED, before, {})
            # If two attempts begin at the same moment, one of them is refused.
            if self._lifecycle('active', ACTIVE, before + 1, {}):
                self.attempt = before + 1
                return self

    def __exit__(self, kind, error, _traceback):
        if isinstance(error, Exception) and not isinstance(error, Superseded):
            self.failed(error)

    def progress(self, *, current=None, total=None, unit=None, percent=None, stage=None, message=None):
        """Reports progress. Calls within the interval are published with the next call after it."""
        if percent is None and total:
            percent = 100 * current / total
        if percent is not None:
            # Progress never goes back within an attempt.
            percent = self._percent = max(self._percent, min(100, round(percent, 2)))
        fields = {'percent': percent, 'current': current, 'total': total, 'unit': unit, 'stage': stage,
                'message': message}
        self._pending = {k: v for k, v in fields.items() if v is not None or k == 'percent'}
        if time.monotonic() - self._published_at >= self._interval:
            self._flush()

    def log(self, message, level='info'):
        """Publishes a log line."""
        self._flush()
        self._report('log', {'level': level, 'message': message})

    def emit(self, event, data):
        """Publishes a custom event."""
        self._report(event, {'data': data})

    def retrying(self, error):
        """Publishes that this attempt has failed and another one follows."""
        self._lifecycle('retrying', RETRYING, self.attempt, {'error': {'message': str(error)}})

    def completed(self, result):
        """Publishes the end. Raises Superseded if another attempt has begun."""
        self._flush()
        if self._lifecycle('completed', ENDED, self.attempt, {'result': result}, end=True) is None:
            raise Superseded(self.task_id)

    def failed(self, error):
        """Publishes the end, unless another attempt has begun."""
        self._lifecycle('failed', ENDED, self.attempt, {'error': {'message': str(error)}}, end=True)

    def _flush(self):
        data, self._pending = self._pending, None
        if data is not None:
            self._published_at = time.monotonic()
            self._report('progress', data, slot='progress')

    def _report(self, event, data, slot=''):
        """Publishes a report of this attempt. The script refuses it if another attempt runs."""
        if self._call(event, self.attempt, data, slot, '', [self.attempt]) is None:
            raise Superseded(self.task_id)

    def _lifecycle(self, event, rank, attempt, data, end=False):
        """Publishes an event once for each attempt and rank. Returns None if it was published before."""
        fence = [attempt, rank, 0, 0, '']
        return self._call(event, attempt, {'name': self.name, **data}, '', '1' if end else '', fence)

    def _call(self, event, attempt, data, slot, end, fence):
        body = {'jobId': self.task_id, **data, 'attempt': attempt, 'at': int(time.time() * 1000)}
        # JSON from json.dumps has no line breaks, so it is one line of data.
        frame = f'event: {event}\ndata: {json.dumps(body)}\n' + (':end\n' if end else '') + '\n'
        epoch = uuid.uuid4().hex[:12]

        def publish():
            if self._command is None:
                # Redis 7 has sharded Pub/Sub; Headway listens there when it can.
                major = int(str(self._redis.info('server')['redis_version']).split('.')[0])
                self._command = 'SPUBLISH' if major >= 7 else 'PUBLISH'
            args = [self._command, epoch, slot, frame, *self._settings, end, *fence]
            return self._publish(keys=self._keys, args=args)

        return self._patiently(publish)

    def _patiently(self, call):
        """Retries a call while Redis is down. If only the reply was lost, the call is made twice: the second lifecycle
        event is refused, a log line is published twice."""
        deadline = time.monotonic() + self._wait
        while True:
            try:
                return call()
            except (redis_py.ConnectionError, redis_py.TimeoutError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
