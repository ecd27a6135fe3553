"""A long Celery task that shows its progress: packs a folder into a .tar.xz.

REDIS_URL: the Redis of Headway, which is also Celery's broker. Defaults to the private one of npm start.
"""

import os
import tarfile
import tempfile
from pathlib import Path

from celery import Celery

import headway

REDIS_URL = os.environ.get('REDIS_URL') or 'unix:' + str(
    Path(__file__).resolve().parents[2] / 'data/redis/redis.sock')
redis = headway.connect(REDIS_URL)

app = Celery('examples', broker=REDIS_URL.replace('unix:', 'redis+socket://'))
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 1
# A task leaves the queue when it has ended, not when it begins, so a task whose worker was killed runs again: at once if
# only a child process was killed, and after the visibility timeout otherwise.
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
app.conf.broker_transport_options = {'visibility_timeout': int(os.environ.get('VISIBILITY_TIMEOUT', 3600))}


def shown(task_id):
    """The progress of the task, for viewers."""
    return headway.Task(redis, 'public.celery.' + task_id, task_id, 'pack')


@app.task(bind=True)
def pack(self, folder):
    try:
        with shown(self.request.id) as task:
            task.completed(pack_folder(Path(folder), self.request.id, task))
    except headway.Ended:
        pass  # A repeated delivery: the worker died between the end of the task and the acknowledgement.
    except headway.Superseded:
        pass  # The task took longer than the visibility timeout, and another worker has it.


def pack_folder(folder, task_id, task):
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    if not files:
        raise ValueError(f'there are no files in {folder}')
    total = sum(path.stat().st_size for path in files)
    task.log(f'{len(files)} files, {total} bytes, packed by process {os.getpid()}')
    archive = Path(tempfile.gettempdir()) / f'headway-{task_id}.tar.xz'
    # The archive gets its name when it is complete, so a killed attempt leaves no incomplete archive.
    part = archive.with_suffix(f'.part{task.attempt}')
    done = 0

    def count(size, path):
        nonlocal done
        done += size
        task.progress(current=done, total=total, unit='bytes', message=path.name)

    try:
        with tarfile.open(part, 'w:xz') as tar:
            for path in files:
                with path.open('rb') as file:
                    tar.addfile(tar.gettarinfo(arcname=str(path.relative_to(folder)), fileobj=file),
                                Counted(file, lambda size: count(size, path)))
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)
    return {'archive': str(archive), 'files': len(files), 'bytes': total, 'packed': archive.stat().st_size}


class Counted:
    """A file that reports how many bytes are read."""

    def __init__(self, file, report):
        self.file, self.report = file, report

    def read(self, size=-1):
        data = self.file.read(size)
        self.report(len(data))
        return data
