// A photo from the camera, where the browser allows it.

const dialog = document.getElementById("camera");
const video = dialog.querySelector("video");
const state = document.getElementById("camera-state");
const take = document.getElementById("take");
const REASONS = {
  NotAllowedError: "The camera is blocked for this page. Allow it in the browser's address bar, then open it again.",
  NotFoundError: "This device has no camera. Choose, drop or paste an image instead.",
  NotReadableError: "The camera is in use by another program. Close that one, then open it again.",
};
let stream = null;

/** Activate the button of the camera; `add` gets each photo as a file. */
export function start(add) {
  document.getElementById("open-camera").addEventListener("click", open);
  document.getElementById("close-camera").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", stop);
  take.addEventListener("click", async () => {
    const photo = await still();
    dialog.close();
    add([photo], "");
  });
}

async function open() {
  state.textContent = "Waiting for the camera …";
  take.disabled = true;
  dialog.showModal();
  if (!navigator.mediaDevices?.getUserMedia) {
    state.textContent = "Browsers allow the camera only on this machine (localhost) and over HTTPS.";
    return;
  }
  try {
    const found = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    if (!dialog.open) return found.getTracks().forEach((track) => track.stop());
    stream = found;
    video.srcObject = found;
    await video.play();
    take.disabled = false;
    state.textContent = "The photo is sent only to this server.";
  } catch (problem) {
    state.textContent = REASONS[problem.name] ?? `The camera cannot be opened: ${problem.message}.`;
  }
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
}

async function still() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  const photo = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
  return new File([photo], `camera-${time}.jpg`, { type: "image/jpeg" });
}
