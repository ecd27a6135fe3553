#!/usr/bin/env bash
# Headway with curl alone: starts a job, watches it and fetches its result; cancels another job; watches a channel and
# publishes to it. HEADWAY_URL: defaults to http://127.0.0.1:3000.
set -euo pipefail
api=${HEADWAY_URL:-http://127.0.0.1:3000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

call() { curl -sS --fail-with-body "$@"; }
post() { call -H 'Content-Type: application/json' -d "$2" "$api$1"; }
field() { node -p "JSON.parse(fs.readFileSync(0))$1"; }

# Starts a job: sets job (its path) and token.
start() {
  post /v1/jobs "$1" > "$work/job.json"
  job=$(field .links.self < "$work/job.json")
  token=$(field .token < "$work/job.json")
}

echo '== A job, watched to its end'
start '{"name": "steps", "data": {"count": 5, "intervalMs": 200}}'
call -N "$api$job/events" -H "Authorization: Bearer $token"

echo '== Its result'
call "$api$job/result" -H "Authorization: Bearer $token"
echo

echo '== A job that is cancelled'
start '{"name": "steps", "data": {"count": 1000, "intervalMs": 200}}'
call -X POST "$api$job/cancel" -H "Authorization: Bearer $token" > /dev/null
call -N "$api$job/events" -H "Authorization: Bearer $token"

echo '== A channel, watched while events are published to it'
curl -sN "$api/stream?channel=public.news" > "$work/news" &
follower=$!
# Once the stream has begun, it misses no event.
until grep -q '^retry' "$work/news"; do sleep 0.1; done
post /v1/channels/public.news '{"event": "headline", "data": {"text": "Bridge open again"}}' > /dev/null
post /v1/channels/public.news '{"event": "weather", "data": "Rain,\nthen sun", "kind": "state"}' > /dev/null
until grep -q 'then sun' "$work/news"; do sleep 0.1; done
kill "$follower"
cat "$work/news"

echo '== A later viewer: the state, and the last event of the log'
curl -sN --max-time 1 "$api/stream?channel=public.news&last=1" || true
