#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

struct AtenTensorOpaque;

namespace kit::program {

class Workspace;

/// Memory that tensors share. It is the workspace's, or the caller's: then it is only lent.
struct Block {
  std::byte* data = nullptr;
  std::size_t capacity = 0;
  std::int64_t references = 0;
  std::uint64_t ordinal = 0;  ///< the how manieth of the generated code's in its call, from 1; else 0
  Workspace* home = nullptr;
  bool lent = false;
};

/// Memory of the caller's that an output is to be written to.
struct Destination {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  std::uint64_t ordinal = 0;  ///< the allocation that became this output in the call before; 0 if not known
};

/// What one call at a time computes in. Tensors and their memory are kept for the next call, so that once
/// a model has been called with its largest sizes, no more is made.
///
/// The generated code allocates in the same order in each call. So the allocation that becomes an output is
/// known after the first call, and from the second on it is answered with the caller's own memory: outputs
/// are not copied. Where that does not come true, the output is copied, so it is never more than a guess.
class Workspace {
 public:
  explicit Workspace(std::size_t outputs) : destinations_(outputs) {}
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace();

  /// Makes it the one of this thread, for a call with these destinations (their ordinals are kept).
  void begin();
  void end();
  /// Whether what is allocated from now on is the generated code's, and may become an output.
  void lend(bool lending) { lending_ = lending; }
  Destination& destination(std::size_t output) { return destinations_[output]; }

  /// The workspace of the call that this thread is in. Throws if it is in none.
  static Workspace& current();

  /// A tensor without a view of anything. Throws std::bad_alloc.
  AtenTensorOpaque* tensor();
  void give_back(AtenTensorOpaque* tensor) noexcept;

  /// Uninitialised memory, aligned to 64 bytes unless it is a destination, with one reference. Throws
  /// std::bad_alloc.
  Block* allocate(std::size_t bytes);
  void give_back(Block* block) noexcept;

 private:
  friend class Workspaces;

  Block* find(std::size_t bytes) noexcept;

  std::vector<Destination> destinations_;
  std::vector<AtenTensorOpaque*> tensors_;
  std::vector<Block*> free_;   ///< with memory, which no tensor uses
  std::vector<Block*> empty_;  ///< without memory
  std::size_t tensors_made_ = 0;
  std::size_t blocks_made_ = 0;
  std::uint64_t ordinal_ = 0;
  bool lending_ = false;

  // Of Workspaces.
  std::atomic<bool> taken_ = true;
  Workspace* next_ = nullptr;
};

/// The workspaces of a program: as many as there were calls at once. Nobody ever waits for another here: a
/// process that is forked during calls of other threads has theirs as well, taken for ever, and makes its
/// own.
class Workspaces {
 public:
  explicit Workspaces(std::size_t outputs) : outputs_(outputs) {}
  Workspaces(const Workspaces&) = delete;
  Workspaces& operator=(const Workspaces&) = delete;
  ~Workspaces();

  /// One that nobody else has. Throws std::bad_alloc.
  Workspace* take();
  void give_back(Workspace* workspace) noexcept;

 private:
  std::atomic<Workspace*> first_ = nullptr;  ///< of a list that only grows
  std::size_t outputs_;
};

}  // namespace kit::program
