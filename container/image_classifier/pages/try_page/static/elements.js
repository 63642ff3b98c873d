// Elements whose text is never markup.

/** Return a new element with a text and attributes. */
export function element(tag, content = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = content;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Return a copy of the first element of a template of the page. */
export function copyOf(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Show a sentence in an element, and hide the element of an empty one. */
export function say(place, sentence) {
  // Setting the same text again would make screen readers repeat it.
  if (place.textContent !== sentence) place.textContent = sentence;
  place.hidden = sentence === "";
}
