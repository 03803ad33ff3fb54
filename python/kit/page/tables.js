// What the page says beside the graphs: what ran and how, what was fused and what not, and torch's own text.

function fillFacts(list, data) {
  const { fusion } = data;
  const known = fusion.sizes.map((dims) => Object.entries(dims).map(([name, size]) => `${name}=${size}`).join(" "));
  const sizes = [...new Set(known)].filter((text) => text !== "");
  const facts = {
    method: fusion.method,
    device: fusion.device,
    sizes: sizes.length ? sizes.join("; ") : "fixed",
    configuration: data.configuration,
    torch: fusion.torch,
    calls: fusion.calls,
    compilations: fusion.compilations,
  };
  for (const [name, value] of Object.entries(facts))
    if (value !== undefined && value !== "")
      list.append(html("div", {}, html("dt", {}, name), html("dd", {}, String(value))));
}

function row(cells, attributes = {}) {
  return html("tr", attributes, ...cells);
}

const cell = (text, attributes = {}) => html("td", attributes, text);
const number = (value) => cell(String(value), { class: "number" });

function table(titles, rows) {
  const head = titles.map(([text, kind]) => html("th", { scope: "col", class: kind ?? "" }, text));
  const body = html("table", {}, html("thead", {}, row(head)), html("tbody", {}, ...rows));
  return html("div", { class: "scroll" }, body);
}

function foldOut(title, text) {
  return html("details", {}, html("summary", {}, title), html("pre", {}, text));
}

/** The name of the group in whose place something runs, where that does not fit the sizes. */
function insteadOf(one, groups) {
  return one.instead_of === undefined ? "" : `, instead of ${groups[one.instead_of].name}`;
}

/** The rows of a group; `drawn` is its number in the graphs, or -1. */
function groupRows(group, drawn, groups) {
  const swatch = html("span", { class: "swatch" });
  if (drawn >= 0) swatch.style.setProperty("--hue", hueOf(drawn));
  const name = html("td", {}, ...(drawn >= 0 ? [swatch] : []), html("code", {}, group.name), insteadOf(group, groups));
  const least = group.counted === false ? "at least " : "";
  const operations = group.operations.map((one) => one.operation).join(", ");
  const cells = [
    name,
    html("td", {}, html("code", {}, operations)),
    cell(group.dynamic ? "varying" : "one size"),
    number(`${least}${group.runs}`),
    number(`${least}${group.fallbacks}`),
  ];
  if (!group.source) return [row(cells)];
  const source = html("td", { colspan: 5 }, foldOut(`source: ${group.language}`, group.source));
  return [row(cells, { class: "head" }), row([source], { class: "source" })];
}

function fillFusion(section, data) {
  const { groups, left_out: left } = data.fusion;
  section.append(html("h2", {}, "Fusion"));
  const count = groups.length === 1 ? "1 group" : `${groups.length} groups`;
  section.append(html("h3", {}, `Fused: ${count}`));
  if (groups.length) {
    const titles = [["group"], ["operations"], ["compiled for"], ["runs", "number"], ["fallbacks", "number"]];
    const drawn = (index) => data.groups.findIndex((group) => group.report === index);
    section.append(table(titles, groups.flatMap((group, index) => groupRows(group, drawn(index), groups))));
  } else {
    section.append(html("p", {}, data.fusion.note ?? "No operations were fused."));
  }
  section.append(html("h3", {}, `Left out: ${left.length === 1 ? "1 operation" : `${left.length} operations`}`));
  if (!left.length) return;
  const rows = left.map((one) => {
    const line = one.line ? `${lineText(one.line)}  ${one.line.text}` : "";
    const reason = `${one.reason}${insteadOf(one, groups)}`;
    return row([html("td", {}, html("code", {}, one.operation)), cell(reason), html("td", {}, html("code", {}, line))]);
  });
  section.append(table([["operation"], ["reason"], ["line"]], rows));
}

function fillTexts(section, data) {
  section.append(html("h2", {}, "As torch prints it"));
  for (const { graph } of data.stages) section.append(foldOut(graph.stage, graph.text));
}
