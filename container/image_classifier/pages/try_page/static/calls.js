// The example calls: selection and copying.

const CONFIRMATION = 2000; // milliseconds that a button shows its confirmation

/** Put the server's address into the calls and activate their buttons; `announce` is called with each outcome. */
export function start(announce) {
  const place = document.getElementById("calls");
  if (!place) return;
  const server = place.dataset.server ?? new URL(".", document.baseURI).href;
  const figures = [...place.querySelectorAll("figure")];
  const choices = [...place.querySelectorAll("input[name=call]")];
  const choose = () => {
    const chosen = choices.find((choice) => choice.checked).value;
    for (const figure of figures) figure.hidden = figure.id !== chosen;
  };
  for (const choice of choices) choice.addEventListener("change", choose);
  for (const figure of figures) {
    const code = figure.querySelector("code");
    code.textContent = code.textContent.replaceAll("{server}", server);
    const button = figure.querySelector(".copy");
    button.addEventListener("click", async () => {
      const done = await copy(code);
      announce(done);
      button.textContent = done;
      setTimeout(() => (button.textContent = "Copy"), CONFIRMATION);
    });
  }
  choose();
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return "Copied";
  } catch {
    // Not permitted, or not a secure context: select the text for the browser's own copy command.
    getSelection().selectAllChildren(code);
    return "Selected: press Ctrl+C";
  }
}
