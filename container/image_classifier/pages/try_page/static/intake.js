// Ways in for images: the file dialog, a folder, dropping, pasting.

import { isNamedLikeAnImage } from "./file_kinds.js";
import { counted, listed } from "./wording.js";

const MOST = 2000; // images at once
const zone = document.getElementById("zone");
const files = document.getElementById("files");
const folder = document.getElementById("folder");

/** Call `add` with the files of each way in, and with a sentence on what was left out, "" if nothing. */
export function start(add) {
  const give = (found, left = []) => {
    const kept = found.slice(0, MOST);
    const sentences = [leftOut(left)];
    if (found.length > MOST) {
      sentences.push(`Only the first ${counted(MOST, "image", "images")} of ${found.length} were taken.`);
    }
    add(kept, sentences.filter(Boolean).join(" "));
  };
  const giveFolder = (found) => give(found.filter(isNamedLikeAnImage), found.filter((file) => !isNamedLikeAnImage(file)));
  files.addEventListener("change", () => {
    give([...files.files]);
    // So that choosing the same file again triggers a change event.
    files.value = "";
  });
  folder.addEventListener("change", () => {
    giveFolder([...folder.files]);
    folder.value = "";
  });
  document.getElementById("choose-folder").addEventListener("click", () => folder.click());
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length > 0) give(pasted);
  });
  listenForDrops(give);
}

// Anywhere on the page, since an image dropped outside the zone would replace the page.
function listenForDrops(give) {
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.remove("over");
    // The items are gone after the first await.
    const items = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files];
    if (!items.some((item) => item.isDirectory)) return give(plain);
    const [found, left] = [[], []];
    for (const item of items) {
      for await (const file of filesBelow(item)) {
        const asked = item.isFile || isNamedLikeAnImage(file);
        (asked ? found : left).push(file);
        if (found.length > MOST) break;
      }
    }
    give(found, left);
  });
}

async function* filesBelow(item) {
  if (item.isFile) {
    const file = await new Promise((resolve, reject) => item.file(resolve, reject));
    file.path = item.fullPath.slice(1);
    yield file;
    return;
  }
  const reader = item.createReader();
  for (;;) {
    // A reader gives at most 100 entries at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const entry of some) yield* filesBelow(entry);
  }
}

function leftOut(left) {
  if (left.length === 0) return "";
  const counts = new Map();
  for (const { name } of left) {
    const ending = /\.[^.]+$/.exec(name)?.[0].toLowerCase() ?? "files without an ending";
    counts.set(ending, (counts.get(ending) ?? 0) + 1);
  }
  const kinds = [...counts].sort(([, one], [, other]) => other - one).map(([ending, count]) => `${count} ${ending}`);
  const what = left.length === 1 ? "1 file is not an image and was" : `${left.length} files are not images and were`;
  return `${what} left out: ${listed(kinds, 5)}.`;
}
