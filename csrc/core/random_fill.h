// The random fills of contiguous buffers. Each consumes the generator exactly as PyTorch's CPU operation
// does, so that the same seed gives the same numbers. One stream feeds a fill, whatever the number of
// threads.
#pragma once

#include <cstdint>

#include "core/generator.h"

namespace tapegrad {

/// Uniform in [from, to); T is float or double.
template <class T>
void fill_uniform(Generator& generator, T* out, int64_t n, double from, double to);

/// Normal. From 16 numbers on PyTorch works in blocks of 16 on a contiguous tensor; `fill_normal_serially` is
/// what it does to one that is not contiguous, in logical order. T is float or double.
template <class T>
void fill_normal(Generator& generator, T* out, int64_t n, double mean, double std);
template <class T>
void fill_normal_serially(Generator& generator, T* out, int64_t n, double mean, double std);

/// exp of a normal number; T is float or double.
template <class T>
void fill_log_normal(Generator& generator, T* out, int64_t n, double mean, double std);
/// T is float or double.
template <class T>
void fill_cauchy(Generator& generator, T* out, int64_t n, double median, double sigma);
/// T is float or double.
template <class T>
void fill_exponential(Generator& generator, T* out, int64_t n, double lambda);
/// Number of trials up to the first success, 0 < p < 1; any T but bool.
template <class T>
void fill_geometric(Generator& generator, T* out, int64_t n, double p);

/// base + an integer in [0, range), range > 0 (randint, random_(from, to)); any T.
template <class T>
void fill_integers(Generator& generator, T* out, int64_t n, uint64_t range, int64_t base);
/// Integers in [0, the largest that T holds exactly] (random_()); any T.
template <class T>
void fill_all_integers(Generator& generator, T* out, int64_t n);
/// All 64 bits (random_(-2^63, None)).
void fill_all_bits(Generator& generator, int64_t* out, int64_t n);
/// A permutation of 0..n-1; any T but bool.
template <class T>
void fill_permutation(Generator& generator, T* out, int64_t n);

/// 1 with probability p, else 0; any T.
template <class T>
void fill_bernoulli(Generator& generator, T* out, int64_t n, double p);
/// 1 with probability p[i], else 0; any T, P is float or double.
template <class T, class P>
void fill_bernoulli(Generator& generator, T* out, int64_t n, const P* p);

/// Category numbers drawn with replacement: `samples` for each of `rows` rows of `categories` non-negative
/// weights whose sum is positive. T is float or double.
template <class T>
void fill_multinomial(Generator& generator, int64_t* out, const T* weights, int64_t rows, int64_t categories,
                      int64_t samples);

}  // namespace tapegrad
