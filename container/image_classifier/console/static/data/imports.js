// Follow imports: show their progress, and lead to the data set that one has become.

import { fetchPage, replace } from "../fragments.js";

const PAUSE = 700;

async function update() {
  const live = [...document.querySelectorAll("[data-live]")];
  if (!live.length) return;
  if (!document.hidden) {
    try {
      const response = await fetch(location.href, { credentials: "same-origin" });
      // An import that has finished leads to its data set.
      if (response.redirected) return void location.replace(response.url);
      const page = await fetchPage(location.href);
      if (live.some((part) => !page.getElementById(part.id))) return void location.reload();
      for (const part of live) replace(part.id, page);
    } catch {
      // The console is restarting; try again.
    }
  }
  setTimeout(update, PAUSE);
}

setTimeout(update, PAUSE);
