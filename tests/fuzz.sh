#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs fuzzers one after another: tests/fuzz.sh NAME...   SECONDS_EACH (60) each, ONLY=NAME for one.
# Seeds come from tests/fuzz/seeds/NAME/ or NAME_fuzz/, what is found is kept in build/fuzz/corpus/NAME/. A crash is shown and ends in failure.
set -u

seconds=${SECONDS_EACH:-60}
failed=''
ran=0
for name in "$@"; do
  [ -z "${ONLY:-}" ] || [ "$ONLY" = "$name" ] || continue
  ran=$((ran + 1))
  corpus=build/fuzz/corpus/$name
  crashes=build/fuzz/crashes/$name
  mkdir -p "$corpus" "$crashes"
  rm -f "$crashes"/*
  seeds=''
  for folder in "tests/fuzz/seeds/$name" "tests/fuzz/seeds/${name}_fuzz"; do
    if [ -d "$folder" ]; then seeds="$seeds $folder"; fi
  done
  dictionary=tests/fuzz/$name.dict
  [ -f "$dictionary" ] || dictionary=''
  echo "== $name, $seconds s"
  # Seeds are read only: what the fuzzer finds goes to the first folder.
  # shellcheck disable=SC2086
  if ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} "build/fuzz/${name}_fuzz" "-max_total_time=$seconds" -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 "-artifact_prefix=$crashes/" ${dictionary:+"-dict=$dictionary"} \
    "$corpus" $seeds >"build/fuzz/$name.log" 2>&1; then
    grep -E '^stat::number_of_executed_units|^stat::average_exec' "build/fuzz/$name.log" | sed 's/^stat::/  /'
  else
    failed="$failed $name"
    grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse|INITED|RELOAD)' "build/fuzz/$name.log" | tail -n 60
    for input in "$crashes"/*; do
      [ -e "$input" ] || continue
      echo "-- input $input"
      od -A d -t x1z "$input" | head -n 40
    done
  fi
done

if [ $ran -eq 0 ]; then
  echo "fuzz: no fuzzer${ONLY:+ named $ONLY} in tests/fuzz" >&2
  exit 2
fi
if [ -n "$failed" ]; then
  echo "fuzz: failed:$failed"
  exit 1
fi
echo "fuzz: $ran fuzzers, no fault"
