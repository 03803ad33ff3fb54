#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>

#include "bind.h"

namespace kit {
namespace {

/// The Python stack that a trace notes with each operation, from `enter` to `exit` in the thread that enters.
///
/// Torch makes its text anew for each operation and each constant that one takes, which costs more than to
/// record them. Here it is made once for a line of a frame, and once for what lies below the frame that has
/// entered. Traces of other threads note what they do with torch's own function, which this replaces for
/// good, as torch does not tell which that was.
class StackNotes {
 public:
  void enter() {
    torch::jit::tracer::setRecordSourceLocation(&note);
    PyFrameObject* const frame = PyEval_GetFrame();
    floor_ = py::reinterpret_borrow<py::object>(object_of(frame));
    below_ = stack_of(frame, py::object()).text;
    outer_ = std::exchange(current, this);
  }

  void exit() {
    current = outer_;
    floor_ = {};
    last_ = {};
  }

 private:
  struct Stack {
    std::string text;
    bool whole = true;  // whether the end was not met
  };

  /// What was noted last: an operation and the constants that it takes are recorded at one line.
  struct Last {
    py::object frame;
    int line = 0;
    torch::jit::SourceRange range;
  };

  static void note(torch::jit::Node* node) {
    const py::gil_scoped_acquire acquired;
    node->setSourceRange(current != nullptr ? current->range_here() : range_of(PyEval_GetFrame(), nullptr));
  }

  /// What the innermost frame and its line tell, and all callers, which stay where they are meanwhile.
  const torch::jit::SourceRange& range_here() {
    PyFrameObject* const frame = PyEval_GetFrame();
    const int line = frame != nullptr ? PyFrame_GetLineNumber(frame) : 0;
    if (!last_.frame.is(object_of(frame)) || line != last_.line || may_be_resumed(frame))
      last_ = {.frame = py::reinterpret_borrow<py::object>(object_of(frame)),
               .line = line,
               .range = range_of(frame, this)};
    return last_.range;
  }

  static torch::jit::SourceRange range_of(PyFrameObject* frame, const StackNotes* notes) {
    if (frame == nullptr) return {};
    Stack stack = stack_of(frame, notes != nullptr ? notes->floor_ : py::object());
    if (!stack.whole) stack.text += notes->below_;
    const std::size_t size = stack.text.size();
    const py::object code = code_of(frame);
    const std::string file(text_of(reinterpret_cast<PyCodeObject*>(code.ptr())->co_filename));
    const auto line = static_cast<std::size_t>(PyFrame_GetLineNumber(frame));
    return {std::make_shared<torch::jit::Source>(stack.text, file, line), 0, size};
  }

  /// The lines of a stack as torch writes them, the innermost first, without those from the end on.
  static Stack stack_of(PyFrameObject* innermost, const py::object& end) {
    Stack stack;
    auto frame = py::reinterpret_borrow<py::object>(object_of(innermost));
    while (frame && !frame.is(end)) {
      auto* const here = reinterpret_cast<PyFrameObject*>(frame.ptr());
      const py::object code = code_of(here);
      const auto* const names = reinterpret_cast<PyCodeObject*>(code.ptr());
      stack.text.append(text_of(names->co_filename)).append("(");
      stack.text.append(std::to_string(PyFrame_GetLineNumber(here))).append("): ");
      stack.text.append(text_of(names->co_name)).append("\n");
      frame = py::reinterpret_steal<py::object>(object_of(PyFrame_GetBack(here)));
    }
    stack.whole = !frame;
    return stack;
  }

  /// Whether a frame may go on with another caller than before.
  static bool may_be_resumed(PyFrameObject* frame) {
    constexpr int resumed = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR;
    return frame != nullptr &&
           (reinterpret_cast<PyCodeObject*>(code_of(frame).ptr())->co_flags & resumed) != 0;
  }

  static py::object code_of(PyFrameObject* frame) {
    return py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
  }

  static py::handle object_of(PyFrameObject* frame) { return reinterpret_cast<PyObject*>(frame); }

  static std::string_view text_of(PyObject* name) {
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(name, &size);
    if (text == nullptr) throw py::error_already_set();
    return {text, static_cast<std::size_t>(size)};
  }

  static thread_local StackNotes* current;

  py::object floor_;
  std::string below_;
  Last last_;
  StackNotes* outer_ = nullptr;
};

thread_local StackNotes* StackNotes::current = nullptr;

}  // namespace

void bind_stack_notes(py::module_& module) {
  py::class_<StackNotes>(module, "StackNotes")
      .def(py::init<>())
      .def("__enter__", &StackNotes::enter)
      .def("__exit__", [](StackNotes& notes, const py::args&) { notes.exit(); });
}

}  // namespace kit
