// Many images: a summary, filters, and a grid whose tiles open one image each.

import { Card } from "./card.js";
import { copyOf, element } from "./elements.js";
import { FILTERS, arranged, countByLabel, ofClass } from "./entries.js";
import { band, counted, percent } from "./wording.js";

const MOST_COUNTS = 8; // classes in the summary
const [overview, summary, progress, counts, filter, order, matching, shots, detail] = [
  "overview",
  "summary",
  "progress",
  "counts",
  "filter",
  "order",
  "matching",
  "shots",
  "detail",
].map((id) => document.getElementById(id));

let entries = [];
let context = null; // of the cards
let shown = []; // entries in the order of the grid
let openCard = null;
let pending = 0;
const made = new Map(); // entry to its tile

/** Show a grid of entries, which are shared with the caller. */
export function show(found, given) {
  [entries, context] = [found, given];
  overview.hidden = shots.hidden = false;
  update();
}

/** Empty the grid. */
export function clear() {
  entries = [];
  made.clear();
  shots.replaceChildren();
  filter.replaceChildren();
  overview.hidden = shots.hidden = true;
  if (detail.open) detail.close();
}

/** Show the changed state of an entry; all changes of a frame together. */
export function changed(entry) {
  if (made.has(entry)) fillTile(made.get(entry), entry);
  if (openCard?.entry === entry) openCard.show();
  pending ||= requestAnimationFrame(update);
}

function update() {
  cancelAnimationFrame(pending);
  pending = 0;
  const answered = entries.filter(({ result }) => result).length;
  const failed = entries.filter(({ state }) => state === "failed").length;
  const waiting = entries.length - answered - failed;
  progress.hidden = waiting === 0;
  progress.max = entries.length;
  progress.value = answered + failed;
  summary.textContent = sentence(answered, failed, waiting);
  showCounts(countByLabel(entries));
  offerFilters();
  arrange();
}

function sentence(answered, failed, waiting) {
  const doubtful = entries.filter((entry) => entry.isDoubtful).length;
  const unfamiliar = entries.filter((entry) => entry.isUnfamiliar).length;
  const parts = [
    waiting ? `${answered + failed} of ${counted(entries.length, "image", "images")} done` : "",
    waiting ? "" : counted(answered, "image classified", "images classified"),
    doubtful ? `${doubtful} with a doubtful score` : "",
    unfamiliar ? `${unfamiliar} unfamiliar` : "",
    failed ? `${failed} not classified` : "",
  ];
  return `${parts.filter(Boolean).join(", ")}.`;
}

function showCounts(found) {
  const most = found[0]?.[1] ?? 1;
  const rows = found.slice(0, MOST_COUNTS).map(([label, count]) => {
    const button = element("button", "", { type: "button", class: "count" });
    button.dataset.label = label;
    button.setAttribute("aria-pressed", String(filter.value === ofClass(label)));
    const row = copyOf("bar");
    row.querySelector(".label").textContent = label;
    row.querySelector(".percent").textContent = String(count);
    row.querySelector(".fill").style.width = `${(100 * count) / most}%`;
    button.append(...row.childNodes);
    button.addEventListener("click", () => {
      filter.value = filter.value === ofClass(label) ? "all" : ofClass(label);
      update();
      // The button was replaced.
      [...counts.querySelectorAll("button")].find((other) => other.dataset.label === label)?.focus();
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  if (found.length > MOST_COUNTS) {
    const rest = found.slice(MOST_COUNTS).reduce((sum, [, count]) => sum + count, 0);
    rows.push(element("li", `${rest} in ${counted(found.length - MOST_COUNTS, "other class", "other classes")}`));
  }
  if (counts.contains(document.activeElement) && rows.length === 0) filter.focus();
  counts.replaceChildren(...rows);
}

function offerFilters() {
  const chosen = filter.value || "all";
  const fixed = FILTERS.map(([value, words, keep]) => [value, words, entries.filter(keep).length]);
  const classes = countByLabel(entries).map(([label, count]) => [ofClass(label), label, count]);
  const options = [...fixed, ...classes].filter(([value, , count]) => count > 0 || value === "all" || value === chosen);
  const texts = options.map(([value, words, count]) => `${value}\0${words} (${count})`);
  if (texts.join() === filter.dataset.texts) return;
  filter.dataset.texts = texts.join();
  filter.replaceChildren(...options.map(([value, words, count]) => element("option", `${words} (${count})`, { value })));
  filter.value = chosen;
}

function arrange() {
  shown = arranged(entries, filter.value, order.value);
  const focused = shots.contains(document.activeElement) ? document.activeElement : null;
  const wanted = shown.map(tileOf);
  if (wanted.length !== shots.children.length || wanted.some((tile, index) => tile !== shots.children[index])) {
    shots.replaceChildren(...wanted);
    if (focused?.isConnected) focused.focus();
  }
  const part = shown.length === entries.length ? "" : `${shown.length} of ${counted(entries.length, "image", "images")}`;
  if (matching.textContent !== part) matching.textContent = part;
}

function tileOf(entry) {
  if (!made.has(entry)) {
    const tile = copyOf("shot");
    const image = tile.querySelector("img");
    image.addEventListener("error", () => image.remove());
    image.src = entry.address;
    tile.querySelector(".file").textContent = entry.file.name;
    tile.querySelector("button").addEventListener("click", () => open(entry));
    made.set(entry, tile);
    fillTile(tile, entry);
  }
  return made.get(entry);
}

function fillTile(tile, entry) {
  const { state, result, problem, rightClass } = entry;
  tile.classList.toggle("failed", state === "failed");
  tile.classList.toggle("marked", rightClass !== "");
  tile.querySelector(".label").textContent =
    state === "waiting" ? "Classifying …" : state === "failed" ? problem.message : result.label;
  tile.querySelector(".track").hidden = tile.querySelector(".line").hidden = result === null;
  if (!result) return;
  const { words, tone } = rightClass ? { words: `wrong: ${rightClass}`, tone: "bad" } : band(entry.score);
  tile.querySelector(".fill").style.width = `${100 * entry.score}%`;
  tile.querySelector(".fill").className = `fill ${tone}`;
  tile.querySelector(".percent").textContent = percent(entry.score);
  tile.querySelector(".badge").textContent = words;
  tile.querySelector(".badge").className = `badge ${tone}`;
}

function open(entry) {
  openCard = new Card(entry, context);
  document.getElementById("open-card").replaceChildren(openCard.element);
  const place = shown.indexOf(entry);
  document.getElementById("position").textContent =
    place < 0 ? "" : `Image ${place + 1} of ${shown.length}`;
  document.getElementById("previous").disabled = place <= 0;
  document.getElementById("next").disabled = place < 0 || place >= shown.length - 1;
  if (!detail.open) detail.showModal();
}

function step(by) {
  const next = shown[shown.indexOf(openCard.entry) + by];
  if (next) open(next);
}

/** Activate the controls. */
export function start() {
  filter.addEventListener("change", update);
  order.addEventListener("change", update);
  document.getElementById("previous").addEventListener("click", () => step(-1));
  document.getElementById("next").addEventListener("click", () => step(1));
  document.getElementById("close-detail").addEventListener("click", () => detail.close());
  detail.addEventListener("keydown", (event) => {
    // In a list of classes the arrows choose.
    if (event.target.closest("select")) return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  detail.addEventListener("close", () => {
    const tile = made.get(openCard?.entry);
    openCard = null;
    if (tile?.isConnected) tile.querySelector("button").focus();
  });
}
