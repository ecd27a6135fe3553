"""Queues the task and prints the address of the page that shows it: start.py FOLDER"""

import sys
from pathlib import Path

from celery.utils import uuid

from tasks import pack, shown

task_id = uuid()
shown(task_id).waiting()
pack.apply_async([str(Path(sys.argv[1]).resolve())], task_id=task_id)
print(f'http://127.0.0.1:8080/?channel=public.celery.{task_id}')
