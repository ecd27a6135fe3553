"""A Celery task that does something long, and shows its progress: packs a folder into a .tar.xz.

REDIS_URL: the Redis of Headway, which is Celery's broker too. Unless given: the private one of npm start.
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
# A task is taken off the queue when it has been done, not when it begins: one whose worker was killed is done again,
# at once when only a child of it was, else after the visibility timeout, when a worker starts or looks again.
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
app.conf.broker_transport_options = {'visibility_timeout': int(os.environ.get('VISIBILITY_TIMEOUT', 3600))}


def shown(task_id):
    """The task as its viewers see it."""
    return headway.Task(redis, 'public.celery.' + task_id, task_id, 'pack')


@app.task(bind=True)
def pack(self, folder):
    try:
        with shown(self.request.id) as task:
            task.completed(pack_folder(Path(folder), self.request.id, task))
    except headway.Ended:
        pass  # Delivered again though it was done: its worker died between the end and the acknowledgement.
    except headway.Superseded:
        pass  # This one took longer than the visibility timeout: another worker has it.


def pack_folder(folder, task_id, task):
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    if not files:
        raise ValueError(f'there are no files in {folder}')
    total = sum(path.stat().st_size for path in files)
    task.log(f'{len(files)} files, {total} bytes, packed by process {os.getpid()}')
    archive = Path(tempfile.gettempdir()) / f'headway-{task_id}.tar.xz'
    # Of a name of its own until it is whole: an attempt that is killed leaves no half archive under the other.
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
    """A file that tells how much of it is read."""

    def __init__(self, file, told):
        self.file, self.told = file, told

    def read(self, size=-1):
        data = self.file.read(size)
        self.told(len(data))
        return data
