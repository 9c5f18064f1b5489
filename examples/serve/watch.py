"""watch.py QUESTION: what a camera sees, as the probability of a yes, once a second and only when the picture changed.

Nothing is written by the model: a decision is one reading of the picture.
"""
import base64
import json
import os
import sys
import time
import urllib.request

import cv2

CHANGE = 6.0  # mean difference of a small grey picture, of 255


def probability(question, picture):
    url = os.environ.get("NOLENS_URL", "http://127.0.0.1:8080") + "/v1/decisions"
    body = {"input": [{"role": "user", "content": [
                {"type": "input_image", "image_url": "data:image/jpeg;base64," + base64.b64encode(picture).decode()}]}],
            "questions": [{"type": "predicate", "name": "answer", "instructions": question}]}
    request = urllib.request.Request(url, json.dumps(body).encode(), {
        "Content-Type": "application/json", "Authorization": "Bearer " + os.environ.get("NOLENS_API_KEY", "none")})
    with urllib.request.urlopen(request) as response:
        return json.load(response)["answers"][0]["probability"]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: watch.py QUESTION")
    camera = cv2.VideoCapture(0)
    if not camera.isOpened():
        sys.exit("no camera")
    last = None
    while True:
        found, frame = camera.read()
        if not found:
            sys.exit("the camera stopped")
        small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (32, 24))
        if last is None or cv2.absdiff(small, last).mean() > CHANGE:
            last = small
            begun = time.monotonic()
            yes = probability(sys.argv[1], cv2.imencode(".jpg", frame)[1].tobytes())
            print(f"{yes:6.1%} yes   ({time.monotonic() - begun:.1f} s)", flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main()
