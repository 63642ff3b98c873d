// Keep the address, the estimate, the code and the mistakes of the form current as it changes.
import * as copy from "../copy.js";
import { fetchPage, replace } from "../fragments.js";

const form = document.getElementById("form");
let last = 0;

const address = () => {
  const filled = [...new FormData(form)].filter(([, value]) => value !== "");
  return `${location.pathname}?${new URLSearchParams(filled)}`;
};

async function update() {
  const mine = ++last;
  history.replaceState(null, "", address());
  const page = await fetchPage(location.href).catch(() => null);
  if (!page || mine !== last) return;
  for (const part of [...document.querySelectorAll("[data-part][id]")]) {
    // Parts in parts are replaced with the outer one; a part with the focus in it would lose it.
    if (part.isConnected && !part.contains(document.activeElement)) replace(part.id, page);
  }
  prepare();
}

async function measure() {
  const estimate = document.querySelector("#estimate[data-measure]");
  if (!estimate) return;
  estimate.removeAttribute("data-measure");
  const address = estimate.querySelector("[formaction]").formAction;
  await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
  await update();
}

function prepare() {
  copy.prepare();
  measure();
  if (document.querySelector("#estimate[data-live]")) plan(2000);
}

let waiting;
function plan(milliseconds) {
  clearTimeout(waiting);
  waiting = setTimeout(update, milliseconds);
}

form.addEventListener("input", () => plan(400));
document.body.classList.add("scripted");
prepare();
