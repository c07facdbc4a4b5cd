#include "core/dtype.h"

namespace tapegrad {

const char* dtype_name(DType dtype) {
  constexpr const char* names[] = {"torch.bool",  "torch.uint8", "torch.int8",    "torch.int16",
                                   "torch.int32", "torch.int64", "torch.float32", "torch.float64"};
  return names[static_cast<int>(dtype)];
}

const char* scalar_type_name(DType dtype) {
  constexpr const char* names[] = {"Bool", "Byte", "Char", "Short", "Int", "Long", "Float", "Double"};
  return names[static_cast<int>(dtype)];
}

const char* cpp_type_name(DType dtype) {
  constexpr const char* names[] = {"bool", "unsigned char", "signed char", "short int",
                                   "int",  "long int",      "float",       "double"};
  return names[static_cast<int>(dtype)];
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a > b) return promote(b, a);
  // a < b in the order of the enumeration, which is that of the lattice except that uint8 and int8 are not
  // comparable.
  if (a == DType::uint8 && b == DType::int8) return DType::int16;
  return b;
}

namespace {
DType default_floating = DType::float32;
}

DType default_dtype() { return default_floating; }
void set_default_dtype(DType dtype) { default_floating = dtype; }

}  // namespace tapegrad
