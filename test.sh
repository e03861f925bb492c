#!/usr/bin/env bash
# Builds everything, runs every test, and ends with one line: N passed, N failed[, N skipped].
# Tests start what they need by themselves, on loopback and in temporary folders, and take it away again.
set -uo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
configuration=${CONFIGURATION:-Release}

# The power-cut tests compile a file system layer for SQLite, which needs no header but the system's own. The tests of the
# PostgreSQL backend start servers of their own; they use the programs alone.
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql)
[ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || missing+=(pgbouncer)
if [ "${#missing[@]}" != 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if ! dotnet build Errand.slnx -c "$configuration"; then
  echo "0 passed, 1 failed"
  exit 1
fi

output=$(mktemp)
trap 'rm -f "$output"' EXIT
dotnet test --solution Errand.slnx -c "$configuration" --no-build --no-progress "$@" 2>&1 | tee "$output"
code=$?

# A test program that crashed takes its tests out of the totals and shows as an error: it counts as a failure.
awk -v code="$code" '
  /^  error: /     { errors = $2 }
  /^  failed: /    { failed = $2 }
  /^  succeeded: / { passed = $2 }
  /^  skipped: /   { skipped = $2 }
  END {
    failed += errors
    if (passed == "") { passed = 0; if (failed == 0) failed = 1 }
    if (code != 0 && failed == 0) failed = 1
    rest = (skipped + 0 == 0) ? "" : ", " skipped " skipped"
    printf "%d passed, %d failed%s\n", passed, failed, rest
    exit (failed != 0)
  }' "$output"
