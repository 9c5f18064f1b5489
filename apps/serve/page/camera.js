// The camera: opening one, choosing among several, taking a frame, and the dialog for a single shot.

import { ApiError } from './api.js';
import { byId, el, toast } from './dom.js';
import { attachmentFrom } from './media.js';

/** One camera shown in one video element. */
export class Camera {
  /** `select` is filled with the cameras there are. */
  constructor(video, select) {
    this.video = video;
    this.select = select;
    select.addEventListener('change', () => this.open(select.value).catch((error) => toast(error.message, true)));
  }

  /** Opens a camera, by default the one facing away from the person. */
  async open(deviceId = this.select.value) {
    if (!navigator.mediaDevices?.getUserMedia) throw new ApiError('The camera works only on localhost or over https.');
    this.close();
    const turn = this.turn = {};
    const choice = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: 'environment' };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { ...choice, width: { ideal: 1280 }, height: { ideal: 720 } } });
    } catch (error) {
      if (error.name === 'NotAllowedError') throw new ApiError('The browser was not allowed to use the camera.');
      throw new ApiError(error.name === 'NotReadableError' ? 'The camera is used by another program.' : 'No camera was found.');
    }
    if (this.turn !== turn) {
      // Closed or opened anew while the browser was asking.
      stream.getTracks().forEach((track) => track.stop());
      return;
    }
    this.stream = stream;
    this.video.srcObject = stream;
    await this.video.play().catch(() => {});
    await this.list();
  }

  async list() {
    // Names are known only once a camera has been allowed.
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === 'videoinput');
    const used = this.stream?.getVideoTracks()[0]?.getSettings().deviceId;
    this.select.replaceChildren(...devices.map((device, index) => (
      el('option', { value: device.deviceId, selected: device.deviceId === used, text: device.label || `Camera ${index + 1}` }))));
    this.select.closest('label').hidden = devices.length < 2;
  }

  /** Gives the camera back; its light goes out. */
  close() {
    this.turn = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
  }

  /** Whether there is a frame to take. */
  get ready() {
    return Boolean(this.stream) && this.video.readyState >= 2 && this.video.videoWidth > 0;
  }

  /** The frame shown now, as JPEG. @returns {Promise<Blob>} */
  async shot() {
    const canvas = new OffscreenCanvas(this.video.videoWidth, this.video.videoHeight);
    canvas.getContext('2d').drawImage(this.video, 0, 0);
    return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 });
  }
}

let dialogCamera = null;

/**
 * Lets a person take one picture.
 * @returns {Promise<Object|null>} an attachment, null if the dialog was closed without one
 */
export async function takePicture() {
  const dialog = byId('camera-dialog');
  const button = byId('camera-shoot');
  dialogCamera ??= new Camera(byId('camera-video'), byId('camera-select'));
  const message = byId('camera-message');
  message.textContent = 'Waiting for the camera…';
  button.disabled = true;
  dialog.showModal();
  const opened = dialogCamera.open().then(() => {
    message.textContent = '';
    button.disabled = false;
  }, (error) => { message.textContent = error.message; });
  return new Promise((resolve) => {
    let result = null;
    button.onclick = async () => {
      await opened;
      if (!dialogCamera.ready) return;
      result = await attachmentFrom(await dialogCamera.shot(), 'camera.jpg');
      dialog.close();
    };
    byId('camera-cancel').onclick = () => dialog.close();
    dialog.onclose = () => {
      dialogCamera.close();
      resolve(result);
    };
  });
}
