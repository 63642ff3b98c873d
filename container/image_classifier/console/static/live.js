// Keep the parts of a page that change by themselves current: <section id="..." data-live="SECONDS">.
import { fetchPage, replace } from "./fragments.js";

const live = () => [...document.querySelectorAll("[data-live][id]")];

async function refresh() {
  if (!document.hidden) {
    try {
      const page = await fetchPage(location.href);
      // A part with the focus in it would lose it.
      for (const part of live()) if (!part.contains(document.activeElement)) replace(part.id, page);
    } catch {
      // The console is being restarted: the next attempt may succeed.
    }
  }
  plan();
}

function plan() {
  const seconds = live().map((part) => Number(part.dataset.live));
  if (seconds.length) setTimeout(refresh, 1000 * Math.min(...seconds));
}

plan();
