// One key for each decision, and a sentence while a head is fitted. Without it the buttons do the same.

const typing = (target) => target instanceof Element && target.closest("input, select, textarea, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const target = document.querySelector(`[data-key="${CSS.escape(key)}"]:not(:disabled)`);
  if (!target) return;
  event.preventDefault();
  target.click();
});

// The first measurement needs the features and a head on the labels as they were: begin with the first correction open.
const prepared = document.querySelector("[data-prepare]")?.dataset.prepare;
if (prepared) fetch(prepared, { method: "POST" }).catch(() => null);

document.getElementById("measure")?.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button");
  button.textContent = button.dataset.busy;
  button.disabled = true;
  document.getElementById("busy").textContent = "Fitting the head on the corrected labels.";
});
