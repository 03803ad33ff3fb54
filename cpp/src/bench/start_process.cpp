#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include <nlohmann/json.hpp>

#include <kit/error.h>

#include "bench/series.h"
#include "bench/start.h"

namespace kit::bench {
namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  throw Error(ErrorCode::unavailable, "predictor cannot be started again to measure its start: " + what +
                                          ": " + std::strerror(error));
}

/// A file in memory that takes what the process writes.
class Capture {
 public:
  Capture() : fd_(::memfd_create("kit-bench", MFD_CLOEXEC)) {
    if (fd_ < 0) fail("memfd_create", errno);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { ::close(fd_); }

  int fd() const noexcept { return fd_; }

  std::string text() const {
    std::string result;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::pread(fd_, buffer, sizeof buffer, static_cast<off_t>(result.size()))) > 0)
      result.append(buffer, static_cast<std::size_t>(count));
    return result;
  }

 private:
  int fd_;
};

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void replace(int descriptor, int by) { ::posix_spawn_file_actions_adddup2(&actions_, by, descriptor); }
  const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

/// The error that the last line of what the process wrote reports.
[[noreturn]] void rethrow(int status, std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  text.erase(0, text.rfind('\n') + 1);
  if (const std::string prefix = "predictor: error: "; text.starts_with(prefix)) text.erase(0, prefix.size());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  const bool known = code >= 1 && code <= static_cast<int>(ErrorCode::trace);
  if (!known)
    text = "a process that was started to be measured died, " +
           (WIFSIGNALED(status) ? std::string("of ") + ::strsignal(WTERMSIG(status))
                                : "with exit code " + std::to_string(code)) +
           (text.empty() ? "" : ": " + text);
  throw Error(known ? static_cast<ErrorCode>(code) : ErrorCode::internal, text);
}

}  // namespace

Start start_process(StartRequest request) {
  const Capture out;
  const Capture err;
  FileActions actions;
  actions.replace(STDOUT_FILENO, out.fd());
  actions.replace(STDERR_FILENO, err.fd());
  request.started = steady_seconds();
  std::string command = "bench-start";
  std::string program = "predictor";
  std::string text = request.json();
  char* const arguments[]{program.data(), command.data(), request.model.data(), text.data(), nullptr};
  pid_t child = 0;
  if (const int error = ::posix_spawn(&child, "/proc/self/exe", actions.get(), nullptr, arguments, environ))
    fail("posix_spawn", error);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid", errno);
  const double ended = steady_seconds();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) rethrow(status, err.text());
  Start start = Start::parse(out.text());
  start.parts["whole"] = ended - request.started;
  return start;
}

}  // namespace kit::bench
