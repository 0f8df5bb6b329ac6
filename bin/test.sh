#!/bin/sh
# All tests, set-up included: what `npm test` runs. Every stage runs whatever the ones before it found, except that nothing
# runs without the set-up. The last line is the sum: "N passed, N failed"; a test that was skipped counts as failed.
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0 counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

# stage NAME COMMAND...: one check
stage() {
  name=$1; shift
  printf '\n== %s\n' "$name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); printf '== %s FAILED\n' "$name"; return 1; fi
}

# suite NAME COMMAND...: a vitest run, whose reporter leaves "PASSED FAILED" in the file $counts
suite() {
  name=$1; shift
  printf '\n== %s\n' "$name"
  : >"$counts"
  TEST_COUNTS=$counts "$@"; status=$?
  good=0 bad=1
  [ ! -s "$counts" ] || read -r good bad <"$counts"
  [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
  passed=$((passed + good)) failed=$((failed + bad))
}

if stage set-up sh bin/setup.sh test && stage build npm run --silent build; then
  stage types npx tsc -p .
  stage lint npx biome check .
  suite tests sh bin/aside.sh npx vitest run
fi

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
