#!/usr/bin/env python3
"""Measures llama.cpp through llama-cpp-python for `nolens bench --peer`.

    nolens bench --model M.gguf --peer "python bench/peers/llama_cpp.py --model M.gguf"

Needs the package llama-cpp-python (and numpy, which it brings). Prints the JSON array of
docs/performance.md. The definitions are those of nolens: prefill = so many random ids in an empty context, logits
of the last one only; decode = random ids one by one, each with its logits; context = ids before them.
"""
import argparse
import ctypes
import json
import os
import random
import sys
import time

sys.path.pop(0)  # this folder: this file has the name of the package it imports
BATCH = 512  # tokens a step, as nolens


def numbers(text):
    return [int(part) for part in text.split(",") if int(part) >= 0]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--prefill", type=numbers, default=[64, 280, 512])
    parser.add_argument("--decode", type=int, default=32)
    parser.add_argument("--context", type=numbers, default=[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-mmap", action="store_true", help="read the file into memory")
    parser.add_argument("--flash-attention", action="store_true")
    return parser.parse_args()


def peak_rss_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def reset_peak_rss():
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


class LlamaCpp:
    """The C interface: the wrapper's own eval() would copy the logits of every token."""

    def __init__(self, arguments):
        import llama_cpp  # the time of importing is not the time of loading
        self.lib = llama_cpp
        self.threads = arguments.threads
        self._silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self._silence, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        most = max([*arguments.prefill, *(c + arguments.decode for c in arguments.context), 1])
        start = time.perf_counter()
        model_params = llama_cpp.llama_model_default_params()
        if arguments.no_mmap:
            if hasattr(llama_cpp, "LLAMA_LOAD_MODE_NONE"):  # newer versions
                model_params.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
            else:
                model_params.use_mmap = False
        model_params.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(arguments.model.encode(), model_params)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {arguments.model}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = most + 8
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = arguments.threads
        params.no_perf = True
        if arguments.flash_attention and hasattr(params, "flash_attn_type"):
            params.flash_attn_type = 1
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit("llama.cpp has no memory for the context")
        self.load_seconds = time.perf_counter() - start
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.random = random.Random(1)

    def draw(self, count):
        return [self.random.randrange(self.vocabulary) for _ in range(count)]

    def clear(self):
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)

    def append(self, ids):
        """Computes ids in steps; the logits of the very last one are read."""
        for first in range(0, len(ids), BATCH):
            part = ids[first:first + BATCH]
            array = (self.lib.llama_token * len(part))(*part)
            code = self.lib.llama_decode(self.context, self.lib.llama_batch_get_one(array, len(part)))
            if code != 0:
                sys.exit(f"llama_decode gave {code}")
        self.lib.llama_synchronize(self.context)
        return self.lib.llama_get_logits_ith(self.context, -1)[0]

    def prefill_seconds(self, tokens):
        self.clear()
        ids = self.draw(tokens)
        start = time.perf_counter()
        self.append(ids)
        return time.perf_counter() - start

    def decode_seconds(self, tokens, context):
        self.clear()
        if context:
            self.append(self.draw(context))
        ids = self.draw(tokens)
        start = time.perf_counter()
        for token in ids:
            self.append([token])
        return time.perf_counter() - start


def result(engine, test, seconds, tokens=0, context=0):
    import llama_cpp
    buffer = ctypes.create_string_buffer(256)
    llama_cpp.llama_model_desc(engine.model, buffer, len(buffer))
    return {
        "engine": f"llama.cpp (llama-cpp-python {llama_cpp.__version__})", "test": test, "tokens": tokens,
        "context": context, "tokens_per_second": tokens / seconds if tokens else None, "share_of_peak": None,
        "bandwidth_gb_per_second": None, "share_of_bandwidth": None, "peak_rss_bytes": peak_rss_bytes(),
        "format": buffer.value.decode("utf-8", "replace"), "kernels": "", "threads": engine.threads, "repeats": 1,
        "seconds_median": seconds, "seconds_min": seconds}


def main():
    arguments = parse_arguments()
    reset_peak_rss()
    engine = LlamaCpp(arguments)
    results = [result(engine, "load", engine.load_seconds)]
    engine.prefill_seconds(64)  # threads, buffers and pages exist after it
    for tokens in arguments.prefill:
        if tokens:
            reset_peak_rss()
            results.append(result(engine, "prefill", engine.prefill_seconds(tokens), tokens))
    for context in arguments.context if arguments.decode else []:
        reset_peak_rss()
        results.append(result(engine, "decode", engine.decode_seconds(arguments.decode, context),
                              arguments.decode, context))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
