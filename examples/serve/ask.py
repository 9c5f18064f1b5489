"""ask.py PICTURE QUESTION: a streamed answer, with OpenAI's own client."""
import base64
import os
import pathlib
import sys

import openai


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: ask.py PICTURE QUESTION")
    picture = base64.b64encode(pathlib.Path(sys.argv[1]).read_bytes()).decode()
    client = openai.OpenAI(base_url=os.environ.get("NOLENS_URL", "http://127.0.0.1:8080") + "/v1",
                           api_key=os.environ.get("NOLENS_API_KEY", "none"))
    stream = client.chat.completions.create(
        model=client.models.list().data[0].id, stream=True,
        messages=[{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + picture}},
            {"type": "text", "text": sys.argv[2]}]}])
    for piece in stream:
        for choice in piece.choices:
            print(choice.delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
