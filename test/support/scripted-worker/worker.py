"""Runs the jobs of the contract in test/support/scripted-worker.ts: each says what its attempts do. worker.py FOLDER_OF_EXAMPLE"""

import os
import sys
import time

sys.path.insert(0, sys.argv[1])
import headway  # noqa: E402


def run(job):
    steps = job.data['attempts']
    for step in steps[min(job.attempt, len(steps)) - 1]:
        (kind, value), = step.items()
        if kind == 'progress':
            job.progress(**value)
        elif kind == 'log':
            job.log(*value)
        elif kind == 'until':
            while not os.path.exists(value):
                job.check()
                time.sleep(0.02)
        elif kind == 'blocked':
            while not os.path.exists(value):
                time.sleep(0.02)
        elif kind == 'fail':
            raise ValueError(value)
        elif kind == 'permanent':
            raise headway.PermanentError(value)
        elif kind == 'result':
            return value
    return float('nan')


headway.Worker(os.environ['REDIS_URL'], 'scripted', lock=1).run(run)
