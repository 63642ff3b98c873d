// Copy the code that a button names by `data-copy`. Without a clipboard, as on plain HTTP from another machine, the
// button stays hidden.

/** Show the buttons of parts that are new on the page. */
export function prepare() {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const code = document.getElementById(button.dataset.copy);
  const said = button.nextElementSibling;
  try {
    await navigator.clipboard.writeText(code.textContent);
    said.textContent = "Copied.";
  } catch {
    // Not permitted: the browser's own copy command takes what is selected.
    getSelection().selectAllChildren(code);
    said.textContent = "Selected: press Ctrl+C.";
  }
});
prepare();
