#!/bin/sh
# Measures llama.cpp (or ik_llama.cpp) with its own llama-bench for `nolens bench --peer`:
#
#   nolens bench --model M.gguf --peer "bench/peers/llama_bench.sh --model M.gguf"
#
# LLAMA_BENCH names the program if it is not in PATH, LLAMA_BENCH_ARGS holds more arguments for it, such as
# "-fa 1 -mmp 0". llama-bench draws random ids and repeats each test itself (LLAMA_BENCH_REPEATS, 1). The load time includes the
# start of the program; the memory is that of the whole run.
set -eu

program=${LLAMA_BENCH:-llama-bench}
repeats=${LLAMA_BENCH_REPEATS:-1}
model= prefill=0 decode=0 context=0 threads=
while [ $# -gt 0 ]; do
  case $1 in
    --model) model=$2 ;;
    --prefill) prefill=$2 ;;
    --decode) decode=$2 ;;
    --context) context=$2 ;;
    --threads) threads=$2 ;;
    *) echo "llama_bench.sh: unknown argument $1" >&2; exit 2 ;;
  esac
  [ $# -ge 2 ] || { echo "llama_bench.sh: $1 needs a value" >&2; exit 2; }
  shift 2
done
[ -n "$model" ] || { echo "llama_bench.sh: --model is missing" >&2; exit 2; }
command -v "$program" > /dev/null || {
  echo "llama_bench.sh: $program not found; build llama.cpp and set LLAMA_BENCH" >&2
  exit 2
}

exec python3 - "$program" "$repeats" "$model" "$prefill" "$decode" "$context" "${threads:-$(nproc)}" << 'PYTHON'
import json
import os
import resource
import shlex
import subprocess
import sys
import time

program, repeats, model, prefill, decode, context, threads = sys.argv[1:]
extra = shlex.split(os.environ.get("LLAMA_BENCH_ARGS", ""))


def run(*arguments):
    command = [program, "-m", model, "-t", threads, "-r", repeats, "-o", "json", *arguments, *extra]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit(f"llama_bench.sh: {shlex.join(command)} ended with {done.returncode}")
    text = done.stdout.decode("utf-8", "replace")
    return json.loads(text[text.index("["):])


def result(row, test, tokens, at):
    seconds = sorted(1e-9 * ns for ns in row.get("samples_ns") or [row["avg_ns"]])
    middle = seconds[len(seconds) // 2]
    return {
        "engine": f"llama-bench {row.get('build_commit', '')}".strip(), "test": test, "tokens": tokens,
        "context": at, "tokens_per_second": tokens / middle, "share_of_peak": None,
        "bandwidth_gb_per_second": None, "share_of_bandwidth": None,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "format": row.get("model_type", ""), "kernels": row.get("cpu_info", ""),
        "threads": int(row.get("n_threads", threads)), "repeats": len(seconds), "seconds_median": middle,
        "seconds_min": seconds[0]}


start = time.perf_counter()
row, *_ = run("-p", "1", "-n", "0")
seconds = time.perf_counter() - start
results = [result(row, "load", 0, 0)]
results[0].update(tokens_per_second=None, seconds_median=seconds, seconds_min=seconds)
sizes = [size for size in prefill.split(",") if int(size) > 0]
if sizes:
    for row in run("-p", ",".join(sizes), "-n", "0"):
        results.append(result(row, "prefill", row["n_prompt"], 0))
if int(decode) > 0:
    for at in context.split(","):
        # -d is of newer versions; those without it measure an empty context only.
        depth = ["-d", at] if int(at) > 0 else []
        for row in run("-p", "0", "-n", decode, *depth):
            results.append(result(row, "decode", row["n_gen"], int(at)))
print(json.dumps(results))
PYTHON
