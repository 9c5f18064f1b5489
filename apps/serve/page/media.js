// Files, pictures and sounds → attachments, and attachments → parts of a request.
//
// An attachment is { id, kind: 'image'|'audio'|'document', name, type, blob, width, height, region }.
// `region` is [x, y, w, h] in pixels of the picture, or null for all of it.

import { ApiError } from './api.js';

/** Formats that the server decodes itself; others are turned into PNG here if the browser knows them. */
const PICTURES = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif', 'image/bmp']);
const SOUND_NAME = /\.(wav|mp3|flac|ogg|oga|opus|m4a|aac)$/i;
const MAX_FILE = 256 * 1024 * 1024;
const SAMPLE_RATE = 16000;

/** What a file chooser offers, by kind. */
export const ACCEPT = { image: 'image/*', audio: 'audio/*,.wav,.mp3,.flac,.ogg,.opus,.m4a', document: 'application/pdf,.pdf' };

/** An id that no other conversation, message or attachment has. Needs no secure context, unlike randomUUID. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Makes an attachment of a file.
 * @param {File|Blob} file
 * @param {string} [name] for blobs without one
 * @returns {Promise<Object>}
 * @throws {ApiError} with a sentence that names the file
 */
export async function attachmentFrom(file, name = file.name || 'pasted') {
  if (file.size === 0) throw new ApiError(`“${name}” is empty.`);
  if (file.size > MAX_FILE) throw new ApiError(`“${name}” is larger than 256 MB.`);
  if (file.type.startsWith('image/')) return picture(file, name);
  if (file.type === 'application/pdf' || /\.pdf$/i.test(name)) {
    return { id: newId(), kind: 'document', name, type: 'application/pdf', blob: file };
  }
  if (file.type.startsWith('audio/') || SOUND_NAME.test(name)) return sound(file, name);
  throw new ApiError(`“${name}” is neither a picture, a sound nor a PDF.`);
}

async function picture(file, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new ApiError(`“${name}” cannot be read as a picture.`);
  }
  const { width, height } = bitmap;
  let blob = file;
  if (!PICTURES.has(file.type)) {
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
    blob = await canvas.convertToBlob({ type: 'image/png' });
  }
  bitmap.close();
  return { id: newId(), kind: 'image', name, type: blob.type, blob, width, height, region: null };
}

async function sound(file, name) {
  try {
    const blob = await toWav(file);
    return { id: newId(), kind: 'audio', name, type: 'audio/wav', blob, seconds: (blob.size - 44) / 2 / SAMPLE_RATE };
  } catch {
    // The server knows codings that this browser does not; it has the last word.
    return { id: newId(), kind: 'audio', name, type: file.type || 'audio/unknown', blob: file };
  }
}

/**
 * Any sound that the browser decodes → WAV, one channel, 16 bits, 16,000 samples a second.
 * @param {Blob} blob
 * @returns {Promise<Blob>}
 */
export async function toWav(blob) {
  const decoded = await new OfflineAudioContext(1, 1, SAMPLE_RATE).decodeAudioData(await blob.arrayBuffer());
  const mono = new Float32Array(decoded.length);
  for (let channel = 0; channel < decoded.numberOfChannels; channel += 1) {
    const samples = decoded.getChannelData(channel);
    for (let at = 0; at < mono.length; at += 1) mono[at] += samples[at] / decoded.numberOfChannels;
  }
  const view = new DataView(new ArrayBuffer(44 + mono.length * 2));
  const ascii = (at, text) => [...text].forEach((char, index) => view.setUint8(at + index, char.charCodeAt(0)));
  ascii(0, 'RIFF');
  view.setUint32(4, 36 + mono.length * 2, true);
  ascii(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, SAMPLE_RATE, true);
  view.setUint32(28, SAMPLE_RATE * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  ascii(36, 'data');
  view.setUint32(40, mono.length * 2, true);
  mono.forEach((sample, at) => view.setInt16(44 + at * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true));
  return new Blob([view], { type: 'audio/wav' });
}

/** Records the microphone. */
export class Recorder {
  /** Asks for the microphone and begins. */
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) throw new ApiError('The microphone works only on localhost or over https.');
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    } catch (error) {
      throw new ApiError(error.name === 'NotAllowedError' ? 'The browser was not allowed to use the microphone.' : 'No microphone was found.');
    }
    this.chunks = [];
    this.recorder = new MediaRecorder(this.stream);
    this.recorder.ondataavailable = (event) => this.chunks.push(event.data);
    this.recorder.start();
  }

  /** Ends the recording. @returns {Promise<Object>} an attachment */
  async stop() {
    await new Promise((resolve) => {
      this.recorder.onstop = resolve;
      this.recorder.stop();
    });
    this.release();
    return sound(new Blob(this.chunks, { type: this.recorder.mimeType }), 'recording.wav');
  }

  /** Gives the microphone back without keeping anything. */
  release() {
    this.stream?.getTracks().forEach((track) => track.stop());
  }
}

/** @returns {Promise<string>} `data:TYPE;base64,…` */
export function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new ApiError('A file could not be read. Was it moved or deleted?'));
    reader.readAsDataURL(blob);
  });
}

/** The part of a chat message that stands for an attachment. `budget` is max_soft_tokens or ''. */
export async function contentPart(attachment, budget) {
  const url = await dataUrl(attachment.blob);
  if (attachment.kind === 'document') return { type: 'input_file', filename: attachment.name, file_data: url };
  if (attachment.kind === 'audio') {
    const format = attachment.type === 'audio/wav' ? 'wav' : (SOUND_NAME.exec(attachment.name)?.[1] ?? 'wav').toLowerCase();
    return { type: 'input_audio', input_audio: { data: url.slice(url.indexOf(',') + 1), format } };
  }
  const part = { type: 'image_url', image_url: { url } };
  if (budget) part.max_soft_tokens = Number(budget);
  if (attachment.region) part.region = attachment.region;
  return part;
}
