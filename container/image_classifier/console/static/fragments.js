// Parse a page of the console that a script fetched. The policy of every page allows markup from here alone.

const policy = window.trustedTypes?.createPolicy("console-fragment", { createHTML: (text) => text });

/** Return the document of an address of this console; its text was escaped by the server. */
export async function fetchPage(address, options = {}) {
  const response = await fetch(address, { credentials: "same-origin", ...options });
  const text = await response.text();
  return new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
}

/** Replace the element with this id by the one with the same id of another document; return the new one. */
export function replace(id, page) {
  const [before, after] = [document.getElementById(id), page.getElementById(id)];
  if (!before || !after) return before;
  before.replaceWith(after);
  return after;
}
