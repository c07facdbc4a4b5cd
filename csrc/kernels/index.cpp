#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

template <class T>
void gather_rows(const RowJob& job) {
  const int64_t size = sizeof(T), inner = job.inner;
  const bool packed_dense = job.packed_step == size,
             contiguous = job.rows_inner == size && job.packed_inner == size;
  if (inner == 1) {
    const char* rows = job.rows;
    if (packed_dense) {
      T* out = reinterpret_cast<T*>(job.packed);
      for (int64_t i = 0; i < job.count; ++i)
        out[i] = *reinterpret_cast<const T*>(rows + job.index[i] * job.row_step);
    } else {
      for (int64_t i = 0; i < job.count; ++i)
        *reinterpret_cast<T*>(job.packed + i * job.packed_step) =
            *reinterpret_cast<const T*>(rows + job.index[i] * job.row_step);
    }
    return;
  }
  for (int64_t i = 0; i < job.count; ++i) {
    const char* row = job.rows + job.index[i] * job.row_step;
    char* out = job.packed + i * job.packed_step;
    if (contiguous)
      __builtin_memcpy(out, row, static_cast<size_t>(inner * size));
    else
      for (int64_t j = 0; j < inner; ++j)
        *reinterpret_cast<T*>(out + j * job.packed_inner) =
            *reinterpret_cast<const T*>(row + j * job.rows_inner);
  }
}

template <class T>
void put_rows(const RowJob& job) {
  const int64_t size = sizeof(T);
  const bool contiguous = job.rows_inner == size && job.packed_inner == size && job.inner > 1;
  for (int64_t i = 0; i < job.count; ++i) {
    char* row = job.rows + job.index[i] * job.row_step;
    const char* in = job.packed + i * job.packed_step;
    if (contiguous)
      __builtin_memcpy(row, in, static_cast<size_t>(job.inner * size));
    else
      for (int64_t j = 0; j < job.inner; ++j)
        *reinterpret_cast<T*>(row + j * job.rows_inner) =
            *reinterpret_cast<const T*>(in + j * job.packed_inner);
  }
}

template <class T>
T sum(T a, T b) {
  if constexpr (__is_same(T, bool))
    return a || b;
  else
    return static_cast<T>(a + b);
}

template <class T>
void add_rows(const RowJob& job) {
  const int64_t size = sizeof(T);
  const bool contiguous = job.rows_inner == size && job.packed_inner == size;
  for (int64_t i = 0; i < job.count; ++i) {
    char* row = job.rows + job.index[i] * job.row_step;
    const char* in = job.packed + i * job.packed_step;
    if (contiguous) {
      T* to = reinterpret_cast<T*>(row);
      const T* from = reinterpret_cast<const T*>(in);
#pragma GCC ivdep
      for (int64_t j = 0; j < job.inner; ++j) to[j] = sum(to[j], from[j]);
    } else {
      for (int64_t j = 0; j < job.inner; ++j) {
        T& to = *reinterpret_cast<T*>(row + j * job.rows_inner);
        to = sum(to, *reinterpret_cast<const T*>(in + j * job.packed_inner));
      }
    }
  }
}

template <class T, class F>
void for_line(const LineJob& job, F f) {
  char *whole = job.whole, *picked = job.picked;
  const int64_t* index = job.index;
  if (job.index_step == 0 && job.whole_step == sizeof(T) && job.picked_step == sizeof(T)) {  // rows
    T *to = reinterpret_cast<T*>(whole + *index * job.dim_step), *from = reinterpret_cast<T*>(picked);
#pragma GCC ivdep
    for (int64_t i = 0; i < job.count; ++i) f(to[i], from[i]);
    return;
  }
  for (int64_t i = 0; i < job.count; ++i) {
    f(*reinterpret_cast<T*>(whole + *index * job.dim_step), *reinterpret_cast<T*>(picked));
    whole += job.whole_step;
    picked += job.picked_step;
    index += job.index_step;
  }
}

template <class T>
void gather_line(const LineJob& job) {
  for_line<T>(job, [](T& whole, T& picked) { picked = whole; });
}
template <class T>
void put_line(const LineJob& job) {
  for_line<T>(job, [](T& whole, T& picked) { whole = picked; });
}
template <class T>
bool is_nan(T value) {
  return value != value;
}
template <class T>
void add_line(const LineJob& job) {
  for_line<T>(job, [](T& whole, T& picked) { whole = sum(whole, picked); });
}
template <class T>
void multiply_line(const LineJob& job) {
  for_line<T>(job, [](T& whole, T& picked) { whole = static_cast<T>(whole * picked); });
}
template <class T>
void maximum_line(const LineJob& job) {
  for_line<T>(job, [](T& whole, T& picked) { whole = picked > whole || is_nan(picked) ? picked : whole; });
}
template <class T>
void minimum_line(const LineJob& job) {
  for_line<T>(job, [](T& whole, T& picked) { whole = picked < whole || is_nan(picked) ? picked : whole; });
}

void bounds(const int64_t* values, int64_t n, int64_t* smallest, int64_t* largest) {
  int64_t low = values[0], high = values[0];
  for (int64_t i = 1; i < n; ++i) {
    low = values[i] < low ? values[i] : low;
    high = values[i] > high ? values[i] : high;
  }
  *smallest = low;
  *largest = high;
}

int64_t count_true(const char* mask, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += 128) {  // short runs, so that the inner sum fits a byte
    const int64_t end = i + 128 < n ? i + 128 : n;
    uint8_t run = 0;
    for (int64_t j = i; j < end; ++j) run = static_cast<uint8_t>(run + (mask[j] != 0));
    count += run;
  }
  return count;
}

// Without a branch on the mask; the last true byte ends the loop, so that nothing is written behind the
// result.
void true_positions(const char* mask, int64_t count, int64_t* out) {
  int64_t found = 0, i = 0;
  while (found < count) {
    uint64_t eight = 0;
    if (count - found > 8) {  // eight more bytes exist
      __builtin_memcpy(&eight, mask + i, 8);
      if (eight == 0) {
        i += 8;
        continue;
      }
      for (int64_t end = i + 8; i < end; ++i) {
        out[found] = i;
        found += mask[i] != 0;
      }
    } else {
      out[found] = i;
      found += mask[i] != 0;
      ++i;
    }
  }
}

template <class T>
void register_size(IndexKernels& table, int log_size) {
  table.gather_rows[log_size] = gather_rows<T>;
  table.put_rows[log_size] = put_rows<T>;
  table.gather_line[log_size] = gather_line<T>;
  table.put_line[log_size] = put_line<T>;
}

}  // namespace

void register_index(IndexKernels& table) {
  register_size<uint8_t>(table, 0);
  register_size<uint16_t>(table, 1);
  register_size<uint32_t>(table, 2);
  register_size<uint64_t>(table, 3);
  int type = 0;
#define TG_REGISTER(T, NAME)                     \
  table.add_rows[type] = add_rows<T>;            \
  table.reduce_line[0][type] = add_line<T>;      \
  table.reduce_line[1][type] = multiply_line<T>; \
  table.reduce_line[2][type] = maximum_line<T>;  \
  table.reduce_line[3][type++] = minimum_line<T>;
  TG_FORALL_DTYPES(TG_REGISTER)
#undef TG_REGISTER
  table.bounds = bounds;
  table.count_true = count_true;
  table.true_positions = true_positions;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
