// Errors carry the Python class that they become at the boundary.
#pragma once
#include <exception>
#include <sstream>
#include <string>
#include <utility>

namespace tapegrad {

enum class ErrorKind { runtime, value, type, index, not_implemented, attribute };

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
  std::string message_;
};

/// Joins its arguments as a stream would print them.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

template <class... Parts>
[[noreturn]] [[gnu::cold, gnu::noinline]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, concat(parts...));
}

// Macros, so that the message is only built when the condition fails.
#define TG_CHECK_AS(kind_, condition, ...)                         \
  do {                                                             \
    if (!(condition)) [[unlikely]]                                 \
      ::tapegrad::fail(::tapegrad::ErrorKind::kind_, __VA_ARGS__); \
  } while (0)
#define TG_CHECK(condition, ...) TG_CHECK_AS(runtime, condition, __VA_ARGS__)
#define TG_CHECK_VALUE(condition, ...) TG_CHECK_AS(value, condition, __VA_ARGS__)
#define TG_CHECK_TYPE(condition, ...) TG_CHECK_AS(type, condition, __VA_ARGS__)
#define TG_CHECK_INDEX(condition, ...) TG_CHECK_AS(index, condition, __VA_ARGS__)

}  // namespace tapegrad
