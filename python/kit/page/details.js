// What is known of one box, in words.

/** "code/__torch__/model.py:12" and the line itself. */
function lineText(line) {
  return `${line.file}:${line.line}`;
}

/** Why an operation that runs by itself was left out of the groups, if the report says so. */
function reasonOf(node, report) {
  if (!node.line) return undefined;
  const same = (one) =>
    one.operation === node.operation && one.line && lineText(one.line) === lineText(node.line);
  return report.left_out.find(same)?.reason;
}

class Details {
  /** go(stage, node) selects an operation; close() selects nothing. */
  constructor(element, data, go, close) {
    this.element = element;
    this.data = data;
    this.go = go;
    this.close = close;
  }

  hide() {
    this.element.hidden = true;
  }

  show(stage, box) {
    const button = html("button", { type: "button", title: "Close (Esc)", "aria-label": "Close" }, "×");
    button.addEventListener("click", this.close);
    const place = html("span", { class: "type" }, stage.name);
    this.element.replaceChildren(
      html("div", { class: "details-head" }, html("h2", {}, this.title(stage, box)), place, button),
      html("div", { class: "columns" }, ...this.columns(stage, box)),
    );
    this.element.hidden = false;
    this.element.scrollTop = 0;
  }

  title(stage, box) {
    return box.node === null || box.kind === "end" ? box.title : stage.nodes[box.node].operation;
  }

  columns(stage, box) {
    if (box.kind === "input") return this.ofInput(stage, Number(box.name.slice(1)));
    if (box.kind === "output") return this.ofOutput(stage, Number(box.name.slice(1)));
    const node = stage.nodes[box.node];
    return [
      html("div", {}, html("h3", {}, "operation"), this.facts(stage, box, node)),
      this.values("inputs", node.inputs.map((name) => this.taken(stage, name))),
      this.values("outputs", node.outputs.map((value) => this.given(stage, value))),
    ];
  }

  ofInput(stage, index) {
    return [this.values("input of the graph", [this.given(stage, stage.graph.inputs[index])])];
  }

  ofOutput(stage, index) {
    return [this.values("output of the graph", [this.taken(stage, stage.graph.outputs[index])])];
  }

  facts(stage, box, node) {
    const list = html("dl");
    const add = (name, ...values) => list.append(html("dt", {}, name), html("dd", {}, ...values));
    if (node.constant !== undefined) add("constant", html("code", {}, node.constant));
    if (node.attribute !== undefined) add("weight", html("code", {}, node.attribute));
    for (const source of node.sources ?? [])
      add("your code", html("code", {}, `${lineText(source)}\n${source.text}`));
    if (node.line) add("line", html("code", {}, `${lineText(node.line)}\n${node.line.text}`));
    else add("line", "not known; torch has added it, or the archive does not tell");
    const group = stage.groupOf(box.node);
    if (group !== undefined) {
      const swatch = html("span", { class: "swatch" });
      swatch.style.setProperty("--hue", hueOf(group));
      const later = node.group === undefined ? ", when optimized" : "";
      add("group", swatch, html("code", {}, this.data.groups[group].name), later);
    }
    const reason = stage.name === "optimized" && group === undefined && reasonOf(node, this.data.fusion);
    if (reason) add("not fused", reason);
    for (const other of stage.others()) {
      const same = other.nodeOf(stage.same(box.node));
      if (same === undefined) add(other.name, "no such operation");
      else add(other.name, this.link(other, same, "the same operation"));
    }
    return list;
  }

  values(title, items) {
    const list = html("ul", {}, ...(items.length ? items : [html("li", {}, "none")]));
    return html("div", {}, html("h3", {}, title), list);
  }

  /** A value that is taken, and where it comes from. */
  taken(stage, name) {
    const maker = stage.makers.get(name);
    const item = html("li", {}, html("code", {}, `%${name}`));
    const type = stage.types.get(name);
    if (type) item.append(" ", html("code", { class: "type" }, type));
    if (maker === undefined) return item;
    const node = stage.nodes[maker];
    const what = node.attribute ?? node.constant;
    item.append(" ← ", this.link(stage, maker, node.operation));
    if (what !== undefined) item.append(" ", html("code", {}, what));
    return item;
  }

  /** A value that is given, and who takes it. */
  given(stage, value) {
    const item = html("li", {}, html("code", {}, `%${value.name}`), " ", html("code", { class: "type" }, value.type));
    const takers = stage.takers.get(value.name) ?? [];
    takers.forEach((taker, index) =>
      item.append(index ? ", " : " → ", this.link(stage, taker, stage.nodes[taker].operation)),
    );
    if (stage.graph.outputs.includes(value.name)) item.append(takers.length ? ", " : " → ", "output of the graph");
    return item;
  }

  link(stage, node, text) {
    const button = html("button", { type: "button", class: "link" }, text);
    button.addEventListener("click", () => this.go(stage, node));
    return button;
  }
}
