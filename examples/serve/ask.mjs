// ask.mjs PICTURE QUESTION: the answer to a question about a picture, with nothing but fetch.
import { readFile } from 'node:fs/promises';

const [picture, question] = process.argv.slice(2);
if (!question) {
  console.error('usage: ask.mjs PICTURE QUESTION');
  process.exit(2);
}
const url = process.env.NOLENS_URL ?? 'http://127.0.0.1:8080';
const response = await fetch(`${url}/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${process.env.NOLENS_API_KEY ?? 'none'}` },
  body: JSON.stringify({
    messages: [{
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url: `data:image/png;base64,${(await readFile(picture)).toString('base64')}` } },
        { type: 'text', text: question },
      ],
    }],
  }),
});
const answer = await response.json();
if (!response.ok) {
  console.error(answer.error.message);
  process.exit(1);
}
console.log(answer.choices[0].message.content);
