"""The official OpenAI client against the server: what it sends is taken, what it gets is what it expects.

Needs the PyPI package `openai`; scripts/check.sh puts it into build/venv-serve where the index can be reached.
"""
import sys
import unittest

try:
    import openai
except ImportError:
    print("skipped: the Python package openai is not installed", file=sys.stderr)
    sys.exit(77)

from running_server import Server
from serve_test import picture_url


class OpenAiClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--parallel", "2")
        cls.client = openai.OpenAI(base_url=cls.server.url + "/v1", api_key="unused", max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.__exit__()

    def picture(self, **extra):
        return [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": picture_url(), "detail": "auto"}, **extra},
            {"type": "text", "text": "what color is the shape?"}]}]

    def test_models(self):
        models = self.client.models.list()
        self.assertEqual([model.id for model in models], ["nolens-tiny"])
        self.assertEqual(self.client.models.retrieve("nolens-tiny").id, "nolens-tiny")
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.models.retrieve("gpt-99")
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_chat_with_a_picture(self):
        answer = self.client.chat.completions.create(
            model="nolens-tiny", messages=self.picture(), temperature=0, max_completion_tokens=20, store=False,
            user="somebody")
        self.assertEqual(answer.choices[0].message.content, "blue")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertGreater(answer.usage.prompt_tokens, 0)

    def test_chat_streamed(self):
        stream = self.client.chat.completions.create(
            model="nolens-tiny", messages=self.picture(), temperature=0, stream=True,
            stream_options={"include_usage": True})
        text, usage, reason = "", None, None
        for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
            usage = chunk.usage or usage
        self.assertEqual((text, reason), ("blue", "stop"))
        self.assertGreater(usage.completion_tokens, 0)

    def test_log_probabilities_and_several_answers(self):
        answer = self.client.chat.completions.create(
            model="nolens-tiny", messages=self.picture(), logprobs=True, top_logprobs=3, n=2, seed=3, temperature=0.5)
        self.assertEqual(len(answer.choices), 2)
        for token in answer.choices[0].logprobs.content:
            self.assertLessEqual(token.logprob, 0.0)
            self.assertEqual(len(token.top_logprobs), 3)

    def test_completions(self):
        answer = self.client.completions.create(model="nolens-tiny", prompt="a red", max_tokens=4, temperature=0)
        self.assertTrue(answer.choices[0].text)
        pieces = self.client.completions.create(model="nolens-tiny", prompt="a red", max_tokens=4, temperature=0,
                                                stream=True)
        self.assertEqual("".join(piece.choices[0].text for piece in pieces), answer.choices[0].text)

    def test_responses(self):
        content = [{"type": "input_image", "image_url": picture_url(), "detail": "auto"},
                   {"type": "input_text", "text": "what color is the shape?"}]
        answer = self.client.responses.create(model="nolens-tiny", input=[{"role": "user", "content": content}],
                                              temperature=0)
        self.assertEqual((answer.status, answer.output_text), ("completed", "blue"))
        self.assertGreater(answer.usage.input_tokens, 0)
        cut = self.client.responses.create(model="nolens-tiny", input="what do you see?", max_output_tokens=1)
        self.assertEqual((cut.status, cut.incomplete_details.reason), ("incomplete", "max_output_tokens"))
        # The conversation goes on with what came back.
        more = [{"role": "user", "content": content}, *answer.output, {"role": "user", "content": "is there a circle?"}]
        self.assertTrue(self.client.responses.create(model="nolens-tiny", input=more, temperature=0).output_text)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.responses.create(model="nolens-tiny", input="x", previous_response_id="resp_1")
        self.assertEqual(caught.exception.param, "previous_response_id")

    def test_responses_streamed(self):
        with self.client.responses.stream(
                model="nolens-tiny", temperature=0,
                input=[{"role": "user", "content": [
                    {"type": "input_image", "image_url": picture_url(), "detail": "auto"},
                    {"type": "input_text", "text": "what color is the shape?"}]}]) as stream:
            events = list(stream)
            final = stream.get_final_response()
        self.assertEqual(final.output_text, "blue")
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        self.assertEqual(text, "blue")

    def test_embeddings(self):
        # The client asks for base64 by itself and turns it into numbers.
        answer = self.client.embeddings.create(model="nolens-tiny", input=["a red circle", "a blue square", "a red circle"])
        first, second, third = (entry.embedding for entry in answer.data)
        self.assertEqual(first, third)
        self.assertNotEqual(first, second)
        self.assertAlmostEqual(sum(value * value for value in first), 1.0, places=5)
        plain = self.client.embeddings.create(model="nolens-tiny", input="a red circle", encoding_format="float")
        self.assertEqual(plain.data[0].embedding, first)
        short = self.client.embeddings.create(model="nolens-tiny", input="a red circle", dimensions=4)
        self.assertEqual(len(short.data[0].embedding), 4)

    def test_errors_have_the_types_of_the_client(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(model="nolens-tiny", messages=[{"role": "user", "content": "x"}],
                                                temperature=1000)
        self.assertEqual(caught.exception.param, "temperature")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(model="nolens-tiny", messages=[{"role": "user", "content": "x" * 20000}])
        self.assertEqual(caught.exception.code, "context_length_exceeded")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(
                model="nolens-tiny", messages=[{"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}])
        self.assertIn("image_url", caught.exception.param)


if __name__ == "__main__":
    unittest.main()
