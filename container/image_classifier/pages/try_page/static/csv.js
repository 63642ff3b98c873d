// The answers as a CSV file.

const HEADER = "file,predicted_label,probability,second_label,second_probability,familiarity,right_class,error";

/** Return the answers as CSV with a header, one line per image, in the order given. */
export function rows(entries) {
  const lines = entries.map(({ file, result, rightClass, problem }) => {
    const [first, second] = result?.classes ?? [];
    const numbers = (share) => (share === undefined || share === null ? "" : String(share));
    const texts = [file.webkitRelativePath || file.path || file.name, result ? first.label : ""];
    return [
      ...texts.map(cell),
      numbers(first?.probability),
      cell(second?.label ?? ""),
      numbers(second?.probability),
      numbers(result?.familiarity),
      cell(rightClass),
      cell(problem?.message ?? ""),
    ].join(",");
  });
  return [HEADER, ...lines, ""].join("\r\n");
}

/** Let the browser save a text as a file. */
export function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Spreadsheets execute cells that begin like formulas, also in full width; the mark is removed by contract/csv_cells.py.
function cell(text) {
  const safe = /^['=+\-@\uff1d\uff0b\uff0d\uff20\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
