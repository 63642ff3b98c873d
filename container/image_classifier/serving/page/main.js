// The page's story: get the facts, take images however they come, ask about one after the other.

import * as about from "./about.js";
import * as calls from "./calls.js";
import { Card } from "./card.js";
import * as server from "./server.js";

const KEPT_NEWS = 20;
const [zone, files, results, cards, news, state] = ["zone", "files", "results", "cards", "news", "state"].map((id) =>
  document.getElementById(id),
);

/** Tell those who do not see the page. */
function say(sentence) {
  const entry = document.createElement("p");
  entry.textContent = sentence;
  news.append(entry);
  while (news.childElementCount > KEPT_NEWS) news.firstElementChild.remove();
}

function tell(sentence) {
  // The same once more would be read out once more.
  if (state.textContent !== sentence) state.textContent = sentence;
}

const facts = server.facts((reason) => tell(`${reason} This page tries again by itself.`));
facts.then(
  (found) => {
    tell("");
    about.show(found);
  },
  (problem) => tell(problem.message),
);

let shown = [];
let turn = facts;

/** Ask about an image when those before it have their answer, so that each one's time is its own. */
function ask(card) {
  card.wait();
  turn = turn
    .catch(() => null)
    .then(async () => {
      if (!shown.includes(card)) return;
      try {
        say(card.show(await server.classify(card.file, (await facts).class_names.length)));
      } catch (problem) {
        say(card.fail(problem));
      }
    });
}

function take(images) {
  const added = images.map((image) => {
    const card = new Card(image, () => ask(card));
    return card;
  });
  shown.push(...added);
  cards.prepend(...added.map((card) => card.element));
  added.forEach(ask);
  results.hidden = shown.length === 0;
}

function clear() {
  for (const card of shown) card.release();
  shown = [];
  cards.replaceChildren();
  results.hidden = true;
  files.focus();
  say("All results are cleared.");
}

files.addEventListener("change", () => {
  take([...files.files]);
  // So that choosing the same file again is a change.
  files.value = "";
});
document.getElementById("clear").addEventListener("click", clear);
document.addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])]));
// Anywhere on the page, for an image that misses the zone would replace the page.
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
  take([...event.dataTransfer.files]);
});
calls.start(say);
