"""Many streaming clients at once, of whom some go away: no answer is wrong, nobody starves, nothing is left.

As a test it takes a few seconds; `load_test.py --clients 64 --seconds 60` is the measurement of docs/performance.md.
"""
import argparse
import http.client
import json
import random
import threading
import time

from running_server import SANITIZED, Server
from serve_test import picture_question

QUESTIONS = [{"messages": [{"role": "user", "content": f"Question {i}: what do you see in number {i * 7}?"}],
              "temperature": 0, "max_tokens": 8 + i} for i in range(10)]
QUESTIONS += [picture_question("what color is the shape?"), picture_question("is there a circle?")]


def read_stream(server, body, leave_after=None):
    """The text of a streamed answer; None if the client left after so many bytes, or was told to come back."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps({**body, "stream": True}),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status == 429:
            time.sleep(0.05)
            return None
        assert response.status == 200, response.read()
        text, done, seen = "", False, 0
        for line in response:
            seen += len(line)
            if leave_after is not None and seen > leave_after:
                return None
            if line.startswith(b"data: {"):
                event = json.loads(line[6:])
                assert "error" not in event, event
                text += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
            done = done or line.startswith(b"data: [DONE]")
        assert done, "the stream was cut"
        return text
    finally:
        connection.close()


def run(clients, seconds):
    with Server("--parallel", "8", "--queue", "256") as server:
        expected = [read_stream(server, body) for body in QUESTIONS]
        counts = [0] * clients
        left = [0] * clients
        longest = [0.0] * clients
        problems = []
        end = time.monotonic() + seconds

        def client(number):
            chance = random.Random(number)
            while time.monotonic() < end and not problems:
                which = chance.randrange(len(QUESTIONS))
                leave = chance.randrange(2000) if chance.random() < 0.3 else None
                begun = time.monotonic()
                try:
                    text = read_stream(server, QUESTIONS[which], leave)
                except (OSError, AssertionError, http.client.HTTPException) as problem:
                    problems.append(f"client {number}: {problem!r}")
                    return
                longest[number] = max(longest[number], time.monotonic() - begun)
                if text is None:
                    left[number] += 1
                elif text != expected[which]:
                    problems.append(f"client {number}: {text!r} instead of {expected[which]!r}")
                else:
                    counts[number] += 1

        threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems, problems[:5]
        assert min(counts) > 0, f"a client was never answered: {counts}"
        deadline = time.monotonic() + 60
        while not all(f"{name} 0" in server.request("GET", "/metrics")[2]
                      for name in ("nolens_requests_processing", "nolens_requests_deferred")):
            assert time.monotonic() < deadline, "requests of clients that left are still there"
            time.sleep(0.05)
        assert [read_stream(server, body) for body in QUESTIONS] == expected
        assert server.stop() == 0, server.log()[-2000:]
        print(f"{clients} clients, {seconds} s: {sum(counts)} answers as alone, {sum(left)} left early, "
              f"{min(counts)} to {max(counts)} answers a client, longest {max(longest):.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=16 if SANITIZED else 32)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    run(options.clients, options.seconds)
