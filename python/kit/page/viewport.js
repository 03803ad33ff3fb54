// Zoom and pan of one drawing: wheel, drag, pinch, keys, and the buttons that call the methods.

const SMALLEST = 0.02;
const LARGEST = 4;
const READABLE = 0.55; // below this scale labels are hard to read
const FAR = 0.3; // below this scale they are not drawn

class Viewport {
  /** surface: the <svg>. A click that was no drag is told to `onClick` with its target. */
  constructor(surface, onClick) {
    this.surface = surface;
    this.onClick = onClick;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.touched = false;
    this.pointers = new Map();
    this.seen = { width: 0, height: 0 };
    surface.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    surface.addEventListener("pointerdown", (event) => this.down(event));
    surface.addEventListener("pointermove", (event) => this.move(event));
    surface.addEventListener("pointerup", (event) => this.up(event));
    surface.addEventListener("pointercancel", (event) => this.up(event));
    surface.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(surface);
  }

  /** Show another drawing of that size; one too wide starts with the x-coordinate `first` in the middle. */
  show(world, width, height, first) {
    this.world = world;
    this.first = first;
    this.width = width;
    this.height = height;
    this.surface.replaceChildren(world);
    this.start();
  }

  get room() {
    return { width: this.surface.clientWidth, height: this.surface.clientHeight };
  }

  apply() {
    this.world.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.scale})`);
    this.surface.classList.toggle("far", this.scale < FAR);
  }

  /** The whole drawing if it can be read then; else its upper part at a scale that can. */
  start() {
    this.touched = false;
    const { width, height } = this.room;
    if (!width || !height) return;
    const wide = (width - 16) / this.width;
    const whole = Math.min(wide, (height - 16) / this.height, 1);
    this.scale = Math.max(whole, Math.min(Math.max(wide, READABLE), 0.8));
    this.scale = Math.min(this.scale, 1);
    const all = this.width * this.scale;
    this.x = all <= width ? (width - all) / 2 : width / 2 - this.first * this.scale;
    this.y = 10; // at the top, so that stages can be compared
    this.apply();
  }

  fit() {
    const { width, height } = this.room;
    this.scale = Math.max(SMALLEST, Math.min((width - 16) / this.width, (height - 16) / this.height, 1.5));
    this.x = (width - this.width * this.scale) / 2;
    this.y = (height - this.height * this.scale) / 2;
    this.touched = true;
    this.apply();
  }

  /** Zoom so that the point of the drawing at (x, y) of the surface stays there. */
  zoom(factor, x = this.room.width / 2, y = this.room.height / 2) {
    const scale = Math.min(LARGEST, Math.max(SMALLEST, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.touched = true;
    this.apply();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.touched = true;
    this.apply();
  }

  /**
   * Bring a box into sight, at a scale at which it can be read, unless it is in sight already.
   * What is below `bottom`, in pixels of the window, is covered by something else.
   */
  reveal(box, bottom = Infinity) {
    const width = this.room.width;
    const free = bottom - this.surface.getBoundingClientRect().top;
    const height = free > 80 ? Math.min(this.room.height, free) : this.room.height;
    const [x, y] = [this.x + box.at[0] * this.scale, this.y + box.at[1] * this.scale];
    const [halfX, halfY] = [(box.size[0] / 2) * this.scale, (box.size[1] / 2) * this.scale];
    const inside = x >= halfX && x <= width - halfX && y >= halfY && y <= height - halfY;
    if (inside && this.scale >= READABLE) return;
    this.scale = Math.max(this.scale, Math.min(0.9, Math.max(READABLE, (width - 16) / this.width)));
    this.x = width / 2 - box.at[0] * this.scale;
    this.y = height / 2 - box.at[1] * this.scale;
    this.touched = true;
    this.apply();
  }

  resize() {
    const now = this.room;
    if (!this.world || !now.width || !now.height) return;
    // Details that open below take from the height alone: nothing moves then.
    if (!this.seen.width || (!this.touched && now.width !== this.seen.width)) {
      this.start();
    } else {
      this.x += (now.width - this.seen.width) / 2;
      this.apply();
    }
    this.seen = now;
  }

  /** On paper the whole drawing is scaled by the browser, which alone knows the size of the page. */
  print(on) {
    if (on) {
      this.surface.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
      this.world.removeAttribute("transform");
      this.surface.classList.remove("far");
    } else {
      this.surface.removeAttribute("viewBox");
      this.apply();
    }
  }

  wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1);
    this.zoom(Math.exp(-pixels * 0.0015), event.offsetX, event.offsetY);
  }

  down(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, event);
    this.pressed = { x: event.clientX, y: event.clientY, target: event.target, moved: this.pointers.size > 1 };
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const far = Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) > 4;
    if (far && !this.pressed.moved) {
      this.pressed.moved = true;
      this.surface.setPointerCapture(event.pointerId);
      this.surface.classList.add("dragged");
    }
    if (!this.pressed.moved) return;
    if (this.pointers.size === 2) this.pinch(before, event);
    else this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    this.pointers.set(event.pointerId, event);
  }

  pinch(before, event) {
    const other = [...this.pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const edge = this.surface.getBoundingClientRect();
    const [x, y] = [(event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2];
    this.zoom(apart(event) / apart(before), x - edge.left, y - edge.top);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    this.surface.classList.remove("dragged");
    if (event.type === "pointerup" && !this.pressed.moved) this.onClick(this.pressed.target);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (event.key in steps) this.pan(...steps[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0" || event.key === "f") this.fit();
    else return;
    event.preventDefault();
  }
}
