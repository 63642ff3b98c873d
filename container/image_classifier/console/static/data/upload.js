// Upload a zip archive with progress, or a dropped folder file by file.

const form = document.getElementById("upload");
const drop = document.getElementById("drop");
const input = document.getElementById("archive");
const status = document.getElementById("upload-progress");
const [text, bar, cancel] = [status.querySelector("p"), status.querySelector("progress"), status.querySelector("button")];
const AT_ONCE = 4;
let abort = null;

function show(message, share) {
  status.hidden = false;
  text.textContent = message;
  if (share === undefined) bar.removeAttribute("value");
  else bar.value = 100 * share;
}

async function fail(response) {
  if (response.ok) return response;
  throw new Error(response.status === 413 ? "The upload is larger than the console takes. Give the folder's path instead." : `The upload failed (${response.status}).`);
}

function sendArchive(file) {
  // fetch tells nothing about how much was sent.
  const request = new XMLHttpRequest();
  abort = () => request.abort();
  request.open("POST", `${form.action}?${new URLSearchParams({ name: file.name })}`);
  request.setRequestHeader("Content-Type", "application/zip");
  request.responseType = "json";
  request.upload.onprogress = (event) => show(`Sending ${file.name}`, event.loaded / event.total);
  request.onload = () => {
    if (request.status === 200) location.href = new URL(request.response.page, request.responseURL);
    else show(request.status === 413 ? "The archive is larger than the console takes. Give the folder's path instead." : `The upload failed (${request.status}).`, 0);
  };
  request.onerror = () => show("The connection to the console broke off. Nothing was kept.", 0);
  request.onabort = () => { status.hidden = true; };
  request.send(file);
}

async function* filesOf(entry, path) {
  if (entry.isFile) {
    yield [await new Promise((done, failed) => entry.file(done, failed)), path + entry.name];
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return;
    for (const below of some) yield* filesOf(below, `${path}${entry.name}/`);
  }
}

async function sendFolder(entry) {
  const controller = new AbortController();
  abort = () => controller.abort();
  const options = { method: "POST", credentials: "same-origin", signal: controller.signal };
  const begun = await fetch(`${form.dataset.folder}?${new URLSearchParams({ name: entry.name })}`, options).then(fail);
  const places = await begun.json();
  const address = (place) => new URL(place, begun.url);
  let sent = 0;
  try {
    const files = filesOf(entry, "");
    const send = async () => {
      for (;;) {
        const { value, done } = await files.next();
        if (done) return;
        await fetch(`${address(places.files)}?${new URLSearchParams({ path: value[1] })}`, { ...options, body: value[0] }).then(fail);
        sent += 1;
        show(`Sent ${sent.toLocaleString()} files of ${entry.name}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, send));
    const finished = await fetch(address(places.finish), options).then(fail);
    location.href = new URL((await finished.json()).page, finished.url);
  } catch (error) {
    await fetch(address(places.remove), { method: "POST", credentials: "same-origin", body: new URLSearchParams({ action: "remove" }) });
    if (error.name === "AbortError") status.hidden = true;
    else show(`${error.message} Nothing was kept.`, 0);
  }
}

document.getElementById("drop-note").prepend("Or drop a folder or an archive here. ");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (input.files[0]) sendArchive(input.files[0]);
});
cancel.addEventListener("click", () => abort?.());
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
// Beside the zone the browser would leave the page for the file.
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  const entry = items[0]?.webkitGetAsEntry();
  if (items.length > 1) show(`Drop one folder or one archive; these were ${items.length}. Put the class folders into one folder first.`, 0);
  else if (entry?.isDirectory) sendFolder(entry).catch((error) => show(error.message, 0));
  else if (event.dataTransfer.files[0]) sendArchive(event.dataTransfer.files[0]);
});
