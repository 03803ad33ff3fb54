// The page: stages side by side, search, and the choice of an operation in all of them.

/** One stage: its graph, its two drawings, and where the user looks. */
class Stage {
  constructor(found, page) {
    this.page = page;
    this.graph = found.graph;
    this.nodes = found.graph.nodes;
    this.name = found.graph.stage;
    this.views = { folded: found.folded, full: found.full };
    this.numbers = found.same;
    this.byNumber = new Map(found.same.map((number, node) => [number, node]));
    this.index();
    this.build();
  }

  index() {
    this.makers = new Map();
    this.takers = new Map();
    this.types = new Map(this.graph.inputs.map((value) => [value.name, value.type]));
    this.nodes.forEach((node, at) => {
      for (const value of node.outputs) {
        this.makers.set(value.name, at);
        this.types.set(value.name, value.type);
      }
      for (const name of new Set(node.inputs)) this.takers.set(name, [...(this.takers.get(name) ?? []), at]);
    });
  }

  build() {
    const button = (text, title, action) => {
      const one = html("button", { type: "button", title, "aria-label": `${title}: ${this.name}` }, text);
      one.addEventListener("click", action);
      return one;
    };
    this.surface = svg("svg", { tabindex: 0, role: "group", "aria-label": `graph of the ${this.name} stage` });
    this.viewport = new Viewport(this.surface, (target) => this.clicked(target));
    this.summary = html("p");
    this.element = html(
      "section",
      { class: "stage", "aria-label": this.name },
      html(
        "div",
        { class: "stage-head" },
        html("h2", {}, this.name),
        this.summary,
        button("−", "Zoom out (-)", () => this.viewport.zoom(0.8)),
        button("+", "Zoom in (+)", () => this.viewport.zoom(1.25)),
        button("fit", "Show all (0)", () => this.viewport.fit()),
      ),
      this.surface,
    );
    this.surface.addEventListener("keydown", (event) => this.key(event));
  }

  /** Draw the view "folded" or "full". */
  draw(which) {
    this.view = this.views[which];
    this.boxes = new Map(this.view.boxes.map((box) => [box.name, box]));
    this.own = new Map(); // the first box of each operation that has one
    this.homes = new Map(); // that, or the box that it is folded into
    for (const box of [...this.view.boxes].reverse()) {
      if (box.kind === "operation" || box.kind === "structure") this.own.set(box.node, box);
      for (const node of box.folded) this.homes.set(node, box);
    }
    for (const [node, box] of this.own) this.homes.set(node, box);
    this.drawing = drawView(this.view, (node) => (this.nodes[node].group === undefined ? this.groupOf(node) : undefined));
    const top = this.view.boxes.reduce((best, box) => (box.at[1] < best.at[1] ? box : best));
    this.viewport.show(this.drawing.world, this.view.width, this.view.height, top.at[0]);
    this.texts = new Map(this.view.boxes.map((box) => [box.name, this.searchable(box)]));
    const shown = this.view.boxes.filter((box) => box.kind === "operation" || box.kind === "structure");
    const drawn = new Set(shown.map((box) => box.node)).size;
    const all = this.nodes.length;
    this.summary.textContent = drawn === all ? `${all} operations` : `${drawn} of ${all} operations drawn`;
  }

  same(node) {
    return this.numbers[node];
  }

  nodeOf(number) {
    return this.byNumber.get(number);
  }

  others() {
    return this.page.stages.filter((stage) => stage !== this);
  }

  /** The fused group that an operation is in, here or at another stage. */
  groupOf(node) {
    for (const stage of [this, ...this.others()]) {
      const same = stage === this ? node : stage.nodeOf(this.same(node));
      const group = same === undefined ? undefined : stage.nodes[same].group;
      if (group !== undefined) return group;
    }
    return undefined;
  }

  /** What a search looks through, in lower case, and the exact names of the values. */
  searchable(box) {
    const nodes = [...(box.node === null ? [] : [box.node]), ...box.folded].map((at) => this.nodes[at]);
    const group = box.node === null ? undefined : this.nodes[box.node].group;
    const words = [box.title, ...box.lines, group === undefined ? "" : this.page.data.groups[group].name];
    const values = new Set(box.kind === "input" ? [box.title.slice(1)] : []);
    if (box.kind === "output") values.add(this.graph.outputs[Number(box.name.slice(1))]);
    for (const node of box.kind === "end" ? [] : nodes) {
      words.push(node.operation, node.constant ?? "", node.attribute ?? "");
      for (const line of [node.line, ...(node.sources ?? [])])
        if (line) words.push(lineText(line), line.text);
      for (const name of [...node.inputs, ...node.outputs.map((value) => value.name)]) values.add(name);
    }
    return { text: words.join("\n").toLowerCase(), values };
  }

  find(query) {
    const value = query.startsWith("%") ? query.slice(1) : undefined;
    const wanted = query.toLowerCase();
    return this.view.boxes.filter((box) => {
      if (box.refers) return false;
      const { text, values } = this.texts.get(box.name);
      return value === undefined ? text.includes(wanted) : values.has(value);
    });
  }

  mark(kind, boxes) {
    for (const element of this.surface.querySelectorAll(`.box.${kind}`)) element.classList.remove(kind);
    for (const box of boxes) this.drawing.elements.get(box.name).classList.add(kind);
  }

  clicked(target) {
    const name = target.closest(".box")?.dataset.box;
    if (name === undefined) this.page.select();
    else this.page.select(this, this.boxes.get(this.boxes.get(name).refers ?? name));
  }

  /** n and p go through the boxes in the order of execution. */
  key(event) {
    const step = { n: 1, p: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const boxes = this.view.boxes.filter((box) => !box.refers);
    const at = this.page.chosen?.stage === this ? boxes.indexOf(this.page.chosen.box) : -1;
    this.page.select(this, boxes[(at + step + boxes.length + (at < 0 && step < 0 ? 1 : 0)) % boxes.length]);
  }
}

class Page {
  constructor(data) {
    this.data = data;
    this.chosen = undefined;
    this.found = [];
    this.at = -1;
    this.stages = [];
    this.stages.push(...data.stages.map((stage) => new Stage(stage, this)));
    this.details = new Details(
      document.getElementById("details"),
      data,
      (stage, node) => this.go(stage, node),
      () => this.select(),
    );
    fillFacts(document.getElementById("facts"), data);
    fillFusion(document.getElementById("fusion"), data);
    fillTexts(document.getElementById("texts"), data);
    document.getElementById("stages").append(...this.stages.map((stage) => stage.element));
    this.addToggles(document.getElementById("toggles"));
    this.addSearch();
    this.full = document.getElementById("full");
    this.full.addEventListener("change", () => this.draw());
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("beforeprint", () => this.stages.forEach((stage) => stage.viewport.print(true)));
    addEventListener("afterprint", () => this.stages.forEach((stage) => stage.viewport.print(false)));
    this.draw();
  }

  draw() {
    const kept = this.chosen;
    for (const stage of this.stages) stage.draw(this.full.checked ? "full" : "folded");
    this.search();
    const home = kept?.box.node === null ? kept.stage.boxes.get(kept.box.name) : kept?.stage.homes.get(kept.box.node);
    this.select(kept?.stage, home);
  }

  addToggles(group) {
    for (const stage of this.stages) {
      const button = html("button", { type: "button", "aria-pressed": "true", title: `Show or hide ${stage.name}` }, stage.name);
      button.addEventListener("click", () => {
        const shown = this.stages.filter((other) => !other.element.hidden);
        if (shown.length === 1 && shown[0] === stage) return; // one is always there
        stage.element.hidden = !stage.element.hidden;
        button.setAttribute("aria-pressed", String(!stage.element.hidden));
        this.search();
      });
      group.append(button);
    }
  }

  addSearch() {
    this.query = document.getElementById("query");
    this.count = document.getElementById("count");
    this.query.addEventListener("input", () => this.search());
    this.query.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    });
    document.getElementById("next").addEventListener("click", () => this.step(1));
    document.getElementById("before").addEventListener("click", () => this.step(-1));
  }

  search() {
    const query = this.query.value.trim();
    this.found = [];
    this.at = -1;
    for (const stage of this.stages) {
      const boxes = query ? stage.find(query) : [];
      stage.mark("match", boxes);
      stage.surface.classList.toggle("searching", query !== "");
      if (!stage.element.hidden) this.found.push(...boxes.map((box) => ({ stage, box })));
    }
    this.tell(query);
  }

  tell(query) {
    const total = this.found.length;
    if (!query) this.count.textContent = "";
    else if (!total) this.count.textContent = "no match";
    else if (this.at < 0) this.count.textContent = total === 1 ? "1 match" : `${total} matches`;
    else this.count.textContent = `${this.at + 1} of ${total}`;
  }

  step(by) {
    const total = this.found.length;
    if (!total) return;
    this.at = this.at < 0 ? (by > 0 ? 0 : total - 1) : (this.at + by + total) % total;
    const { stage, box } = this.found[this.at];
    this.approach(stage);
    this.select(stage, box);
    this.tell(this.query.value.trim());
  }

  go(stage, node) {
    if (stage.element.hidden) document.querySelectorAll("#toggles button")[this.stages.indexOf(stage)].click();
    if (!stage.own.has(node)) {
      this.full.checked = true; // it has a box of its own only there
      this.draw();
    }
    this.approach(stage);
    this.select(stage, stage.own.get(node));
    stage.surface.focus({ preventScroll: true });
  }

  /** Where stages are below each other, scroll to the one. */
  approach(stage) {
    if (matchMedia("(max-width: 800px)").matches) stage.element.scrollIntoView();
  }

  /** Choose a box, mark the same operation in the other stages, and say what is known of it. */
  select(stage, box) {
    this.chosen = box && { stage, box };
    for (const one of this.stages) {
      one.mark("selected", one === stage && box ? [box] : []);
      one.drawing.trace(one === stage ? box?.name : undefined);
      const node = box && one !== stage && box.node !== null ? one.nodeOf(stage.same(box.node)) : undefined;
      const same = one.homes.get(node);
      one.mark("same", same ? [same] : []);
      if (same && !one.element.hidden) one.viewport.reveal(same);
    }
    if (!box) {
      this.details.hide();
      return;
    }
    this.details.show(stage, box);
    stage.viewport.reveal(box, this.details.element.getBoundingClientRect().top);
  }

  key(event) {
    if (event.key === "Escape") this.select();
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === "/" && !typing) {
      event.preventDefault();
      this.query.focus();
      this.query.select();
    }
  }
}

new Page(JSON.parse(document.getElementById("data").textContent));
