"""Starts a job and watches it to its end, with Python's standard library alone.

    watch.py NAME DATA      for example: watch.py steps '{"count": 20, "intervalMs": 100}'

HEADWAY_URL: defaults to http://127.0.0.1:3000.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

API = os.environ.get('HEADWAY_URL') or 'http://127.0.0.1:3000'
# Headway sends a heartbeat every 15 s, so a longer silence means that the connection is lost.
TIMEOUT = 40


def start(name, data):
    body = json.dumps({'name': name, 'data': data}).encode()
    request = urllib.request.Request(f'{API}/v1/jobs', body, {'Content-Type': 'application/json'})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return json.load(response)


def events(url, token):
    """Yields each event of a stream once, as (name, data, id), over as many connections as needed."""
    last_id, retry = '', 2.0
    while True:
        headers = {'Accept': 'text/event-stream', 'Authorization': f'Bearer {token}'}
        if last_id:
            headers['Last-Event-ID'] = last_id
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:
                if response.status == 204:
                    return
                for fields in parsed(response):
                    retry = fields.get('retry', retry)
                    last_id = fields.get('id', last_id)
                    if 'data' in fields:
                        yield fields.get('event', 'message'), '\n'.join(fields['data']), last_id
        except urllib.error.HTTPError as error:
            # Only 503 is temporary.
            if error.code != 503:
                raise
        except (OSError, http.client.HTTPException):
            pass
        print('(reconnecting)', file=sys.stderr)
        time.sleep(retry)


def parsed(lines):
    """Yields the fields of each event (WHATWG HTML, section 9.2.6). An incomplete last event is dropped."""
    fields = {}
    for raw in lines:
        line = raw.decode().rstrip('\r\n')
        if line == '':
            yield fields
            fields = {}
            continue
        name, _, value = line.partition(':')
        value = value.removeprefix(' ')
        if name == 'data':
            fields.setdefault('data', []).append(value)
        elif name == 'retry' and value.isdigit():
            fields['retry'] = int(value) / 1000
        elif name in ('event', 'id'):
            fields[name] = value


def main(name, data):
    job = start(name, json.loads(data))
    print(f'started {job["id"]}')
    for event, text, _ in events(API + job['links']['events'], job['token']):
        fields = json.loads(text)
        if event == 'progress':
            percent = fields['percent'] or 0
            print(f'{"#" * round(percent / 5):20} {percent:5.1f} %  {fields.get("message", "")}'.rstrip())
        elif event == 'log':
            print(f'log: {fields["message"]}')
        else:
            print(event, json.dumps(fields.get('result', fields.get('error', ''))))
        if event in ('completed', 'failed', 'cancelled'):
            return 0 if event == 'completed' else 1
    return 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:3]))
