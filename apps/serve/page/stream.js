// Answers that arrive in pieces: server-sent events of /v1/chat/completions.

import { ApiError, errorFrom, request } from './api.js';

const MAX_EVENT = 16 * 1024 * 1024;

/**
 * Yields the data of each server-sent event.
 * @param {ReadableStream<Uint8Array>} body
 * @yields {string}
 */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      if (rest.length > MAX_EVENT) throw new ApiError('The server sent a line without an end.', { code: 'bad_answer' });
      // A carriage return at the very end may be half of a line end.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === '') {
          if (data.length) yield data.join('\n');
          data = [];
        } else if (line.startsWith('data:')) {
          data.push(line.slice(line[5] === ' ' ? 6 : 5));
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Asks for an answer and reports its pieces.
 * @param {Object} body of /v1/chat/completions; streaming is switched on here
 * @param {AbortSignal} signal
 * @param {{onText?: function(string), onReasoning?: function(string), onProgress?: function({processed, total})}} on
 * @returns {Promise<{finish: string, usage, timings, images, firstTokenMs, totalMs, complete: boolean}>}
 *   `complete` is false where the stream ended without [DONE]
 * @throws {ApiError} also for an error in the middle of the stream
 */
export async function streamChat(body, signal, on) {
  const started = performance.now();
  const result = { finish: '', usage: null, timings: null, images: null, firstTokenMs: NaN, totalMs: NaN, complete: false };
  const response = await request('/v1/chat/completions', { body: { ...body, stream: true, stream_options: { include_usage: true } }, signal });
  if (!response.body) throw new ApiError('The server sent an empty answer.', { status: response.status, code: 'bad_answer' });
  try {
    for await (const data of readEvents(response.body)) {
      if (data.trim() === '[DONE]') { result.complete = true; break; }
      takeChunk(parse(data), result, on, started);
    }
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof ApiError) throw error;
    throw new ApiError('The connection was lost while the answer arrived.', { code: 'connection_lost' });
  }
  result.totalMs = performance.now() - started;
  return result;
}

function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    throw new ApiError('The server sent a piece that is no JSON.', { code: 'bad_answer' });
  }
}

function takeChunk(chunk, result, on, started) {
  if (chunk.error) throw errorFrom(chunk, Number(chunk.error.code) || 200);
  for (const name of ['usage', 'timings', 'images']) if (chunk[name]) result[name] = chunk[name];
  if (chunk.prompt_progress) on.onProgress?.(chunk.prompt_progress);
  const choice = chunk.choices?.[0];
  if (!choice) return;
  const { content, reasoning_content: reasoning } = choice.delta ?? {};
  if ((content || reasoning) && Number.isNaN(result.firstTokenMs)) result.firstTokenMs = performance.now() - started;
  if (typeof reasoning === 'string' && reasoning) on.onReasoning?.(reasoning);
  if (typeof content === 'string' && content) on.onText?.(content);
  if (choice.finish_reason) result.finish = choice.finish_reason;
}
