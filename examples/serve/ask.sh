#!/bin/sh
# ask.sh PICTURE QUESTION: the answer to a question about a picture, with curl.
set -eu
url=${NOLENS_URL:-http://127.0.0.1:8080}
[ $# -eq 2 ] || { echo "usage: ask.sh PICTURE QUESTION" >&2; exit 2; }
picture=$(base64 -w0 "$1")
question=$(printf '%s' "$2" | python3 -c 'import json, sys; print(json.dumps(sys.stdin.read()))')
# The request is long: it goes through standard input.
curl -sS "$url/v1/chat/completions" \
  -H 'content-type: application/json' -H "authorization: Bearer ${NOLENS_API_KEY:-none}" --data-binary @- <<JSON |
{"messages": [{"role": "user", "content": [
  {"type": "image_url", "image_url": {"url": "data:image/png;base64,$picture"}},
  {"type": "text", "text": $question}]}]}
JSON
  python3 -c '
import json, sys
answer = json.load(sys.stdin)
print(answer["choices"][0]["message"]["content"]) if "choices" in answer else sys.exit(answer["error"]["message"])
'
