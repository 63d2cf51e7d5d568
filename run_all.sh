#!/usr/bin/env bash
# Makes the environment once and hands over to hyperml_tf.reproduce; see --help there.
set -euo pipefail
cd "$(dirname "$0")"

python=""
for candidate in "${PYTHON:-}" python3.11 python3.12 python3.10 python3; do
  if [ -n "$candidate" ] && "$candidate" -c \
    'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ]; then
  echo "run_all.sh: Python 3.10, 3.11 or 3.12 is needed; install one, or set PYTHON=" >&2
  exit 2
fi

# One set-up at a time; the lock goes with its process, however that ends.
exec 9<requirements.txt
flock 9
# The stamp is written last, so an interrupted set-up is done again.
stamp=.venv/requirements.sha256
wanted="$(sha256sum <requirements.txt)"
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  echo "setting up .venv (about 2 GB; once)"
  rm -rf .venv
  "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --require-hashes -r requirements.txt
  echo "$wanted" >"$stamp"
fi
exec 9<&-
exec .venv/bin/python -m hyperml_tf.reproduce "$@"
