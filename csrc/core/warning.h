// Warnings for the user, which the bindings show.
#pragma once
#include "core/error.h"

namespace tapegrad {

/// Shows a UserWarning; throws when warnings are errors. Set by the bindings.
inline void (*show_warning)(const char* message) = [](const char*) {};

template <class... Parts>
[[gnu::cold, gnu::noinline]] void warn_user(const Parts&... parts) {
  show_warning(concat(parts...).c_str());
}

}  // namespace tapegrad
