#!/bin/sh
# Usage: check_isa_symbols.sh NM OBJECT...
# Fails if an object built for one instruction set defines a weak symbol. The linker keeps a single
# copy of such a function for the whole program; if it is this one, a machine without the instruction
# set dies of an illegal instruction in code that never asked for it.
set -eu
nm=$1
shift
[ $# -gt 0 ] || { echo "no objects to check" >&2; exit 1; }
status=0
for object in "$@"; do
  weak=$("$nm" -C --defined-only "$object" | grep -E '^[0-9a-fA-F]* *[WVu] ' || true)
  if [ -n "$weak" ]; then
    echo "$object defines weak symbols:" >&2
    echo "$weak" >&2
    status=1
  fi
done
exit $status
