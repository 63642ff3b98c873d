// Keep a page current: fetch it again and replace its elements with an id and `data-live`, on each event of the server
// where the page has an element `events`; where it has none, or streams do not pass, every few seconds: those that
// `data-live` names, else 3. Nothing is followed while the tab is hidden.

import { fetchPage } from "./fragments.js";

const SECONDS = 3;
const PAUSE = 700;

const source = document.getElementById("events");
let after = Number(source?.dataset.after ?? 0);
let stream = null;
let timer = null;
let busy = false;
let again = false;

/** Whether the user is at work in an element, so that it must stay as it is. */
function isInUse(element) {
  const selection = document.getSelection();
  const selects = selection && !selection.isCollapsed && element.contains(selection.anchorNode);
  const focused = document.activeElement;
  return selects || (element.contains(focused) && focused.matches("input, textarea, select"));
}

/** Replace an element, keep the focus in it and where a log was scrolled to. */
function replace(before, after) {
  if (before.isEqualNode(after) || isInUse(before)) return;
  const log = before.querySelector(".log");
  const atEnd = !log || log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const top = log?.scrollTop ?? 0;
  const focusable = "a, button, [tabindex]";
  const focused = [...before.querySelectorAll(focusable)].indexOf(document.activeElement);
  before.replaceWith(after);
  const fresh = after.querySelector(".log");
  if (fresh) fresh.scrollTop = atEnd ? fresh.scrollHeight : top;
  if (focused >= 0) [...after.querySelectorAll(focusable)][focused]?.focus({ preventScroll: true });
}

async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const page = await fetchPage(location.href);
    for (const element of document.querySelectorAll("[data-live][id]")) {
      const fresh = page.getElementById(element.id);
      if (fresh) replace(element, document.importNode(fresh, true));
    }
  } catch {
    // The console is being restarted; the next event or question finds it again.
  }
  setTimeout(() => {
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }, PAUSE);
}

function poll() {
  const live = [...document.querySelectorAll("[data-live][id]")];
  if (!live.length) return;
  const seconds = Math.min(...live.map((element) => Number(element.dataset.live) || SECONDS));
  timer = setTimeout(() => refresh().then(poll), 1000 * seconds);
}

function follow() {
  if (stream || timer || document.hidden) return;
  if (!source) return poll();
  stream = new EventSource(`${source.dataset.events}?after=${after}`);
  for (const kind of ["progress", "state", "reset"]) {
    stream.addEventListener(kind, (event) => {
      after = Number(event.lastEventId);
      refresh();
    });
  }
  stream.onerror = () => {
    // Closed for good, such as by a proxy that does not pass streams on or when too many pages are open.
    if (stream?.readyState === EventSource.CLOSED) {
      pause();
      poll();
    }
  };
}

function pause() {
  stream?.close();
  stream = null;
  clearTimeout(timer);
  timer = null;
}

for (const log of document.querySelectorAll("[data-tail]")) log.scrollTop = log.scrollHeight;
document.addEventListener("visibilitychange", () => (document.hidden ? pause() : (refresh(), follow())));
// A page that comes back from the browser's history has an old state and no stream.
addEventListener("pageshow", (event) => event.persisted && (refresh(), follow()));
addEventListener("pagehide", pause);
follow();
