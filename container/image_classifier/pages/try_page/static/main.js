// Entry point: load the model card, accept images, classify them one after the other.

import * as about from "./about.js";
import * as calls from "./calls.js";
import * as camera from "./camera.js";
import { Card } from "./card.js";
import * as csv from "./csv.js";
import { say } from "./elements.js";
import { Entry, countByLabel } from "./entries.js";
import { problemOf } from "./file_kinds.js";
import * as intake from "./intake.js";
import * as overview from "./overview.js";
import * as samples from "./samples.js";
import * as server from "./server.js";
import { counted, listed, percent, unfamiliar } from "./wording.js";

const MAX_NEWS = 20;
const MOST_CARDS = 3; // images that are shown as cards; more become a grid
const [results, cards, news, state] = ["results", "cards", "news", "state"].map((id) => document.getElementById(id));

let entries = [];
let known = null; // the model card once it is loaded
let made = new Map(); // entry to its card

/** Announce a sentence to screen readers. */
function announce(sentence) {
  const entry = document.createElement("p");
  entry.textContent = sentence;
  news.append(entry);
  while (news.childElementCount > MAX_NEWS) news.firstElementChild.remove();
}

const facts = server
  .start()
  .then(() => server.facts((reason) => say(state, `${reason} This page retries automatically.`)));
facts.then(
  (found) => {
    known = found;
    say(state, "");
    about.show(found);
    samples.show(found.samples ?? [], add, (sentence) => say(document.getElementById("intake"), sentence));
  },
  (problem) => say(state, problem.message),
);

let queue = facts;

/** Classify an image after those before it, so that their durations do not overlap. */
function enqueue(entry) {
  Object.assign(entry, { state: "waiting", result: null, problem: null });
  show(entry);
  queue = queue.catch(() => null).then(() => (entries.includes(entry) ? classify(entry) : null));
}

async function classify(entry) {
  try {
    const sentence = await problemOf(entry.file);
    if (sentence) throw new server.Rejected(sentence, false);
    Object.assign(entry, { result: await server.classify(entry.file, await facts), state: "answered" });
  } catch (problem) {
    Object.assign(entry, { problem, state: "failed" });
  }
  show(entry);
  tell(entry);
}

// Of many images only the end is announced.
function tell(entry) {
  const { file, result, problem, label, score } = entry;
  if (entries.length <= MOST_CARDS) {
    const parts = result
      ? [`${file.name}: ${label}, ${percent(score)}`, unfamiliar(result.familiarity)]
      : [`${file.name}: ${problem.message}`];
    announce(parts.filter(Boolean).join(". "));
  } else if (!entries.some((other) => other.state === "waiting")) {
    const counts = countByLabel(entries).map(([name, count]) => `${count} ${name}`);
    announce(`${counted(entries.length, "image", "images")} done: ${listed(counts, 5)}`);
  }
}

/** What cards need; they may be made before the model card is loaded. */
const context = {
  get facts() {
    return known;
  },
  retry: enqueue,
  changed: (entry) => show(entry),
};

function show(entry) {
  made.get(entry)?.show();
  if (!document.getElementById("overview").hidden) overview.changed(entry);
}

function add(files, note) {
  say(document.getElementById("intake"), note);
  const added = files.map((file, index) => new Entry(file, entries.length + index));
  if (added.length === 0) return;
  entries.push(...added);
  results.hidden = false;
  if (entries.length > MOST_CARDS) {
    made = new Map();
    cards.replaceChildren();
    overview.show(entries, context);
  } else {
    for (const entry of added) made.set(entry, new Card(entry, context));
    cards.prepend(...added.map((entry) => made.get(entry).element));
  }
  added.forEach(enqueue);
  // Below the ways in and the samples the answer would come unseen.
  if (results.getBoundingClientRect().top > 0.5 * innerHeight) results.scrollIntoView();
}

function clear() {
  for (const entry of entries) entry.release();
  entries = [];
  made = new Map();
  cards.replaceChildren();
  overview.clear();
  results.hidden = true;
  document.getElementById("files").focus();
  announce("All results were cleared.");
}

document.getElementById("clear").addEventListener("click", clear);
document.getElementById("download").addEventListener("click", () => csv.save(csv.rows(entries), "answers.csv"));
overview.start();
intake.start(add);
camera.start(add);
calls.start(announce);
