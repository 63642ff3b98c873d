// The calls for programs: which one is shown, and copying it.

const SAID_FOR = 2000; // milliseconds that a button says what it did

/** Put this server's address into the calls, and make their buttons work; `say` gets a sentence on what happened. */
export function start(say) {
  const server = new URL(".", document.baseURI).href;
  const figures = [...document.querySelectorAll("figure")];
  const choices = [...document.querySelectorAll("input[name=call]")];
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
      say(done);
      button.textContent = done;
      setTimeout(() => (button.textContent = "Copy"), SAID_FOR);
    });
  }
  choose();
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return "Copied";
  } catch {
    // Not allowed, or the page is not from this machine: the browser's own copying is left.
    getSelection().selectAllChildren(code);
    return "Selected: press Ctrl+C";
  }
}
