"use strict";
// SVG of one stage, from the places that Graphviz has found.

const HUES = [28, 205, 130, 285, 345, 172, 55, 240];
const hueOf = (group) => HUES[group % HUES.length];

/** An element of HTML: attributes by name, children as nodes or text. Text is never read as HTML. */
function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The line of an arrow, and its tip as a triangle that ends at the last point. */
function arrowPaths(path) {
  const at = (index) => [path[2 * index], path[2 * index + 1]];
  const last = path.length / 2 - 1;
  let line = `M${at(0)}`;
  for (let index = 1; index + 2 < last; index += 3) line += `C${at(index)} ${at(index + 1)} ${at(index + 2)}`;
  const [x, y] = at(last);
  const [fromX, fromY] = at(last - 1);
  const length = Math.hypot(x - fromX, y - fromY) || 1;
  const [dx, dy] = [(x - fromX) / length, (y - fromY) / length];
  const side = (sign) => [x - 9 * dx + sign * 3.5 * dy, y - 9 * dy - sign * 3.5 * dx];
  return [`${line}L${[x - 5 * dx, y - 5 * dy]}`, `M${[x, y]}L${side(1)}L${side(-1)}Z`];
}

/** Paths for many arrows: few elements, since a browser slows down with each. */
function drawArrows(arrows, kind) {
  const group = svg("g");
  for (let start = 0; start < arrows.length; start += 200) {
    const paths = arrows.slice(start, start + 200).map((arrow) => arrowPaths(arrow.path));
    group.append(
      svg("path", { class: `arrows ${kind}`, d: paths.map(([line]) => line).join("") }),
      svg("path", { class: `tips ${kind}`, d: paths.map(([, tip]) => tip).join("") }),
    );
  }
  return group;
}

function drawFrame(frame) {
  const [x, y, width, height] = frame.at;
  const group = svg("g", { class: "frame" }, svg("rect", { x, y, width, height }));
  return coloured(group, frame);
}

/** Apart from its frame, to be drawn over the arrows. */
function drawTitle(frame) {
  const [x, y] = frame.at;
  return coloured(svg("g", { class: "frame" }, svg("text", { x: x + 8, y: y + 15 }, frame.title)), frame);
}

function coloured(element, frame) {
  if (frame.group !== null) {
    element.classList.add("fused");
    element.style.setProperty("--hue", hueOf(frame.group));
  }
  return element;
}

/** fusedAs: the group that the operation is in at a later stage, or undefined. */
function drawBox(box, fusedAs) {
  const [width, height] = box.size;
  const [left, top] = [box.at[0] - width / 2, box.at[1] - height / 2];
  const group = svg("g", { class: `box ${box.kind}`, transform: `translate(${left} ${top})` });
  group.append(svg("rect", { width, height }));
  if (fusedAs !== undefined) {
    group.append(svg("rect", { class: "stripe", x: 0.5, y: 4, width: 5, height: height - 8 }));
    group.style.setProperty("--hue", hueOf(fusedAs));
  }
  const middle = width / 2;
  const title = svg("text", { class: "title", x: middle, y: 18 });
  const space = box.title.indexOf("::") + 2;
  if (box.node !== null && space > 1) {
    title.append(svg("tspan", { class: "space" }, box.title.slice(0, space)), box.title.slice(space));
  } else {
    title.append(box.title);
  }
  group.append(title);
  box.lines.forEach((line, index) => group.append(svg("text", { x: middle, y: 34 + 15 * index }, line)));
  group.dataset.box = box.name;
  return group;
}

/** All of a view in one <g>; `elements` has that of each box by its name. */
function drawView(view, fusedAs) {
  const [plain, control] = [false, true].map((wanted) => view.arrows.filter((arrow) => arrow.control === wanted));
  const elements = new Map(
    view.boxes.map((box) => [box.name, drawBox(box, box.kind === "operation" ? fusedAs(box.node) : undefined)]),
  );
  const chosen = svg("g");
  const world = svg(
    "g",
    { class: "world" },
    svg("g", {}, ...view.frames.map(drawFrame)),
    drawArrows(plain, ""),
    drawArrows(control, "control"),
    chosen,
    svg("g", {}, ...view.frames.map(drawTitle)),
    svg("g", {}, ...elements.values()),
  );
  const trace = (name) => {
    const ofBox = view.arrows.filter((arrow) => arrow.tail === name || arrow.head === name);
    chosen.replaceChildren(drawArrows(ofBox, "traced"));
  };
  return { world, elements, trace };
}
