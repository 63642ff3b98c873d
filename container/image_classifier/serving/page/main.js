// Entry point: load the model card, accept images, classify them one after the other.

import * as about from "./about.js";
import * as calls from "./calls.js";
import { Card } from "./card.js";
import * as server from "./server.js";

const MAX_NEWS = 20;
const [zone, files, results, cards, news, state] = ["zone", "files", "results", "cards", "news", "state"].map((id) =>
  document.getElementById(id),
);

/** Announce a sentence to screen readers. */
function announce(sentence) {
  const entry = document.createElement("p");
  entry.textContent = sentence;
  news.append(entry);
  while (news.childElementCount > MAX_NEWS) news.firstElementChild.remove();
}

function showState(sentence) {
  // Setting the same text again would make screen readers repeat it.
  if (state.textContent !== sentence) state.textContent = sentence;
}

const facts = server.facts((reason) => showState(`${reason} This page retries automatically.`));
facts.then(
  (found) => {
    showState("");
    about.show(found);
  },
  (problem) => showState(problem.message),
);

let shown = [];
let queue = facts;

/** Classify an image after those before it, so that their durations do not overlap. */
function enqueue(card) {
  card.wait();
  queue = queue
    .catch(() => null)
    .then(async () => {
      if (!shown.includes(card)) return;
      try {
        announce(card.show(await server.classify(card.file, await facts)));
      } catch (problem) {
        announce(card.fail(problem));
      }
    });
}

function add(images) {
  const added = images.map((image) => {
    const card = new Card(image, () => enqueue(card));
    return card;
  });
  shown.push(...added);
  cards.prepend(...added.map((card) => card.element));
  added.forEach(enqueue);
  results.hidden = shown.length === 0;
}

function clear() {
  for (const card of shown) card.release();
  shown = [];
  cards.replaceChildren();
  results.hidden = true;
  files.focus();
  announce("All results were cleared.");
}

files.addEventListener("change", () => {
  add([...files.files]);
  // So that choosing the same file again triggers a change event.
  files.value = "";
});
document.getElementById("clear").addEventListener("click", clear);
document.addEventListener("paste", (event) => add([...(event.clipboardData?.files ?? [])]));
// Anywhere on the page, since an image dropped outside the zone would replace the page.
document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  zone.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) zone.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  zone.classList.remove("over");
  add([...event.dataTransfer.files]);
});
calls.start(announce);
