"""A worker for the jobs of jobs/primes.mjs: counts primes with a sieve, a part of the numbers at a time.

REDIS_URL: the Redis of Headway. Defaults to the private one of npm start.
"""

import os
from math import isqrt
from pathlib import Path

import headway

PART = 100_000


def primes(job):
    """Returns the result of the job. An exception fails the attempt, and Headway's retries apply."""
    up_to = job.data['upTo']
    small = sieve(2, isqrt(up_to), [])
    job.log(f'{len(small)} primes up to {isqrt(up_to)}')
    count, largest = 0, 0
    for first in range(2, up_to + 1, PART):
        last = min(first + PART - 1, up_to)
        found = sieve(first, last, small)
        count, largest = count + len(found), max([largest, *found[-1:]])
        # Also ends the attempt here, by an exception, when the job was cancelled.
        job.progress(current=last, total=up_to, unit='numbers', stage='sieve')
    return {'count': count, 'largest': largest}


def sieve(first, last, divisors):
    """The primes from first to last. Without divisors, first must be 2."""
    is_prime = bytearray([1]) * (last - first + 1)
    for number in divisors or range(2, isqrt(last) + 1):
        start = max(number * number, -(-first // number) * number)
        is_prime[start - first::number] = bytes(len(range(start, last + 1, number)))
    return [first + i for i, flag in enumerate(is_prime) if flag]


if __name__ == '__main__':
    url = os.environ.get('REDIS_URL') or 'unix:' + str(Path(__file__).resolve().parents[2] / 'data/redis/redis.sock')
    headway.Worker(url, 'primes').run(primes)
