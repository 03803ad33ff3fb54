// Discrete Fourier transforms over the last dimension, through Eigen's FFT (kissfft), in float64.

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <numbers>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#define EIGEN_NO_DEBUG
#include <unsupported/Eigen/FFT>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "elements.h"
#include "vectors.h"

using namespace kit::program;

namespace {

/// The same element of several lines, as one number: Eigen transforms them at once. std::complex of a type of
/// one's own is left open by C++; the libraries of GCC and of clang compute it by the textbook.
struct Lanes {
  Lanes() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): Eigen multiplies by numbers
  Lanes(double value) noexcept : vector(all(value)) {}
  explicit Lanes(const DoubleVector& value) noexcept : vector(value) {}

  Lanes operator-() const noexcept { return Lanes(-vector); }
  Lanes& operator+=(const Lanes& other) noexcept { return *this = Lanes(vector + other.vector); }
  Lanes& operator-=(const Lanes& other) noexcept { return *this = Lanes(vector - other.vector); }
  Lanes& operator*=(const Lanes& other) noexcept { return *this = Lanes(vector * other.vector); }
  friend Lanes operator+(const Lanes& a, const Lanes& b) noexcept { return Lanes(a.vector + b.vector); }
  friend Lanes operator-(const Lanes& a, const Lanes& b) noexcept { return Lanes(a.vector - b.vector); }
  friend Lanes operator*(const Lanes& a, const Lanes& b) noexcept { return Lanes(a.vector * b.vector); }

  DoubleVector vector = {};
};

/// How many lines a number is of.
template <typename Number>
inline constexpr std::int64_t width = static_cast<std::int64_t>(sizeof(Number) / sizeof(double));

/// Lines of a tensor that are transformed at once; behind its end, the last one again.
template <typename Number, typename T>
class Lines {
 public:
  /// size: elements of a line. left: lines from `first` on.
  Lines(T* first, std::int64_t size, std::int64_t left) : count_(std::min(left, width<Number>)) {
    for (std::int64_t i = 0; i < width<Number>; ++i) lines_[i] = first + std::min(i, count_ - 1) * size;
  }

  std::int64_t count() const noexcept { return count_; }

  Number operator[](std::int64_t index) const noexcept {
    double values[width<Number>];
    for (std::int64_t i = 0; i < width<Number>; ++i) values[i] = static_cast<double>(lines_[i][index]);
    Number number;
    std::memcpy(&number, values, sizeof number);
    return number;
  }

  void set(std::int64_t index, const Number& number) const noexcept {
    double values[width<Number>];
    std::memcpy(values, &number, sizeof number);
    for (std::int64_t i = 0; i < width<Number>; ++i)
      if (i < count_) lines_[i][index] = static_cast<T>(values[i]);
  }

 private:
  T* lines_[width<Number>];
  std::int64_t count_;
};

template <typename Number>
std::vector<std::complex<Number>> zeros(std::int64_t count) {
  return std::vector<std::complex<Number>>(static_cast<std::size_t>(count));
}

/// What torch's number for a normalization says: 0 none, 1 by the root of the size, 2 by the size.
double factor(std::int64_t normalization, std::int64_t size) {
  if (normalization == 0) return 1;
  return normalization == 1 ? 1 / std::sqrt(static_cast<double>(size)) : 1 / static_cast<double>(size);
}

void check(const AtenTensorOpaque& self, const std::int64_t* dims, std::int64_t count) {
  if (count != 1 || wrapped(dims[0], self.rank) != self.rank - 1)
    throw std::runtime_error("a Fourier transform over another dimension than the last");
}

/// Whether Eigen's time for a size, which grows with the sum of its prime factors, is more than that of a
/// convolution of twice the size.
bool has_large_factor(std::int64_t size) {
  constexpr std::int64_t largest = 31;
  for (std::int64_t factor = 2; factor <= largest; ++factor)
    while (size % factor == 0) size /= factor;
  return size > 1;
}

/// The smallest size of at least `least` that has no prime factors but 2, 3 and 5.
std::int64_t fast_size(std::int64_t least) {
  for (std::int64_t size = least;; ++size) {
    std::int64_t rest = size;
    for (const std::int64_t factor : {2, 3, 5})
      while (rest % factor == 0) rest /= factor;
    if (rest == 1) return size;
  }
}

/// e to the power of -2πi · part / whole.
std::complex<double> root(std::int64_t part, std::int64_t whole) {
  return std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(part) / static_cast<double>(whole));
}

template <typename Number>
void transform(Eigen::FFT<Number>& fft, std::complex<Number>* to, const std::complex<Number>* from,
               std::int64_t size, bool forward) {
  if (forward)
    fft.fwd(to, from, static_cast<int>(size));
  else
    fft.inv(to, from, static_cast<int>(size));
}

/// A transform as a convolution with a chirp, for j k = (j² + k² - (k - j)²) / 2. After L. I. Bluestein, "A
/// linear filtering approach to the computation of discrete Fourier transform", IEEE Transactions on Audio
/// and Electroacoustics 18 (1970), pages 451-455.
template <typename Number>
class Chirp {
 public:
  Chirp(std::int64_t size, Eigen::FFT<Number>& fft)
      : fft_(fft),
        length_(fast_size(2 * size - 1)),
        chirp_(zeros<Number>(size)),
        filter_(zeros<Number>(length_)),
        product_(zeros<Number>(length_)),
        spectrum_(zeros<Number>(length_)) {
    std::int64_t square = 0;  // modulo the period: a large angle would lose digits
    for (std::int64_t k = 0; k < size; ++k) {
      const std::complex<double> value = root(square, 2 * size);
      const double scale = 1 / static_cast<double>(length_);
      chirp_[static_cast<std::size_t>(k)] = {Number(value.real()), Number(value.imag())};
      product_[static_cast<std::size_t>(k)] = {Number(scale * value.real()), Number(-scale * value.imag())};
      if (k > 0) product_[static_cast<std::size_t>(length_ - k)] = product_[static_cast<std::size_t>(k)];
      square = (square + 2 * k + 1) % (2 * size);
    }
    transform(fft_, filter_.data(), product_.data(), length_, true);
  }

  void forward(std::complex<Number>* to, const std::complex<Number>* from) {
    const std::size_t size = chirp_.size();
    for (std::size_t k = 0; k < size; ++k) product_[k] = from[k] * chirp_[k];
    std::fill(product_.begin() + static_cast<std::ptrdiff_t>(size), product_.end(), std::complex<Number>());
    transform(fft_, spectrum_.data(), product_.data(), length_, true);
    for (std::size_t k = 0; k < spectrum_.size(); ++k) spectrum_[k] *= filter_[k];
    transform(fft_, product_.data(), spectrum_.data(), length_, false);
    for (std::size_t k = 0; k < size; ++k) to[k] = product_[k] * chirp_[k];
  }

 private:
  using Vector = std::vector<std::complex<Number>>;

  Eigen::FFT<Number>& fft_;
  std::int64_t length_;
  Vector chirp_, filter_, product_, spectrum_;
};

/// Transforms of complex numbers of one size, which are not scaled.
template <typename Number>
class Fourier {
 public:
  using Complex = std::complex<Number>;

  explicit Fourier(std::int64_t size) : size_(size) {
    if (size > std::numeric_limits<int>::max() / 4)
      throw std::runtime_error("a Fourier transform of " + std::to_string(size) + " elements");
    fft_.SetFlag(Eigen::FFT<Number>::Unscaled);
    if (has_large_factor(size)) chirp_.emplace(size, fft_);
  }

  std::int64_t size() const noexcept { return size_; }

  /// `from` is used up.
  void run(Complex* to, Complex* from, bool forward) {
    if (size_ == 1) return static_cast<void>(*to = *from);  // Eigen writes where it has no memory
    if (!chirp_) return transform(fft_, to, from, size_, forward);
    if (!forward) conjugate(from);
    chirp_->forward(to, from);
    if (!forward) conjugate(to);
  }

 private:
  void conjugate(Complex* values) const {
    for (std::int64_t k = 0; k < size_; ++k) values[k] = std::conj(values[k]);
  }

  std::int64_t size_;
  Eigen::FFT<Number> fft_;
  std::optional<Chirp<Number>> chirp_;
};

/// The lines of a tensor of complex numbers.
template <typename Number, typename Float>
void of_complex(const AtenTensorOpaque& in, AtenTensorOpaque& out, double factor, bool forward) {
  const std::int64_t size = in.sizes[in.rank - 1];
  const Number scale(factor);
  Fourier<Number> fourier(size);
  auto line = zeros<Number>(size), spectrum = zeros<Number>(size);
  const Float* from = elements<Float>(in);
  Float* to = elements<Float>(out);
  for (std::int64_t left = in.numel() / size; left > 0; left -= width<Number>) {
    const Lines<Number, const Float> lines(from, 2 * size, left);
    const Lines<Number, Float> results(to, 2 * size, left);
    for (std::int64_t i = 0; i < size; ++i)
      line[static_cast<std::size_t>(i)] = {lines[2 * i], lines[2 * i + 1]};
    fourier.run(spectrum.data(), line.data(), forward);
    for (std::int64_t i = 0; i < size; ++i) {
      results.set(2 * i, spectrum[static_cast<std::size_t>(i)].real() * scale);
      results.set(2 * i + 1, spectrum[static_cast<std::size_t>(i)].imag() * scale);
    }
    from += 2 * size * lines.count();
    to += 2 * size * lines.count();
  }
}

/// From the spectrum of x₀ + i x₁, x₂ + i x₃, … the first `half + 1` elements of that of x, which has twice
/// its size.
template <typename Number>
void separate(std::vector<std::complex<Number>>& spectrum, std::int64_t half,
              const std::vector<std::complex<double>>& roots) {
  using Complex = std::complex<Number>;
  const Complex first = spectrum[0];
  spectrum[0] = first.real() + first.imag();
  spectrum[static_cast<std::size_t>(half)] = first.real() - first.imag();
  for (std::int64_t k = 1; k <= half - k; ++k) {
    Complex &low = spectrum[static_cast<std::size_t>(k)],
            &high = spectrum[static_cast<std::size_t>(half - k)];
    const Complex even = (low + std::conj(high)) * Number(0.5);
    const Complex difference = (low - std::conj(high)) * Number(0.5);
    const std::complex<double>& one = roots[static_cast<std::size_t>(k)];
    // The spectrum of x₁, x₃, … is -i times the difference.
    const Complex odd = Complex(Number(one.imag()), Number(-one.real())) * difference;
    low = even + odd;
    high = std::conj(even - odd);
  }
}

/// The lines of a tensor of real numbers, and as much of their spectra as the other has room for.
template <typename Number, typename Float>
void of_real(const AtenTensorOpaque& in, AtenTensorOpaque& out, double factor) {
  const std::int64_t size = in.sizes[in.rank - 1], count = out.sizes[in.rank - 1], half = size / 2;
  const bool even = size % 2 == 0;
  const Number scale(factor);
  Fourier<Number> fourier(even ? half : size);
  auto line = zeros<Number>(fourier.size()), spectrum = zeros<Number>(fourier.size() + 1);
  std::vector<std::complex<double>> roots;
  for (std::int64_t k = 0; even && k <= half - k; ++k) roots.push_back(root(k, size));
  const Float* from = elements<Float>(in);
  Float* to = elements<Float>(out);
  for (std::int64_t left = in.numel() / size; left > 0; left -= width<Number>) {
    const Lines<Number, const Float> lines(from, size, left);
    const Lines<Number, Float> results(to, 2 * count, left);
    for (std::int64_t i = 0; i < fourier.size(); ++i)
      line[static_cast<std::size_t>(i)] =
          even ? std::complex<Number>(lines[2 * i], lines[2 * i + 1]) : lines[i];
    fourier.run(spectrum.data(), line.data(), true);
    if (even) separate(spectrum, half, roots);
    spectrum[0].imag(0);  // also if NaN or an infinity is among the elements
    for (std::int64_t i = 0; i <= half; ++i) {
      const Number real = spectrum[static_cast<std::size_t>(i)].real() * scale;
      const Number imaginary = spectrum[static_cast<std::size_t>(i)].imag() * scale;
      results.set(2 * i, real);
      results.set(2 * i + 1, imaginary);
      if (i == 0 || size - i >= count || size - i == i) continue;
      results.set(2 * (size - i), real);
      results.set(2 * (size - i) + 1, -imaginary);
    }
    from += size * lines.count();
    to += 2 * count * lines.count();
  }
}

/// Calls the function with a number of the type that is the fastest for the lines of a tensor.
template <typename Function>
void with_lines(const AtenTensorOpaque& in, Function&& function) {
  constexpr std::int64_t largest = 16384;  // of more elements, several lines are not in the cache at once
  const std::int64_t size = in.sizes[in.rank - 1];
  if (in.numel() == 0) return;
  if (in.numel() > size && size <= largest)
    function(Lanes());
  else
    function(double());
}

}  // namespace

AOTITorchError aoti_torch_cpu__fft_r2c(AtenTensorHandle self, const int64_t* dim, int64_t dim_len_,
                                       int64_t normalization, int32_t onesided, AtenTensorHandle* ret0) {
  return guarded([&] {
    check(*self, dim, dim_len_);
    const Contiguous in(self);
    const std::int64_t size = self->sizes[self->rank - 1];
    std::int64_t sizes[AtenTensorOpaque::max_rank];
    std::copy_n(self->sizes, self->rank, sizes);
    if (onesided != 0) sizes[self->rank - 1] = size / 2 + 1;
    const bool wide = self->dtype == kit::program::float64;
    if (!wide && self->dtype != kit::program::float32)
      throw std::runtime_error("a Fourier transform of another dtype than float32 and float64");
    *ret0 = make_tensor(wide ? complex128 : complex64, self->rank, sizes);
    with_lines(*in, [&](auto number) {
      using Number = decltype(number);
      const double scale = factor(normalization, size);
      if (wide)
        of_real<Number, double>(*in, **ret0, scale);
      else
        of_real<Number, float>(*in, **ret0, scale);
    });
  });
}

AOTITorchError aoti_torch_cpu__fft_c2c(AtenTensorHandle self, const int64_t* dim, int64_t dim_len_,
                                       int64_t normalization, int32_t forward, AtenTensorHandle* ret0) {
  return guarded([&] {
    check(*self, dim, dim_len_);
    const Contiguous in(self);
    if (self->dtype != complex64 && self->dtype != complex128)
      throw std::runtime_error("a complex Fourier transform of real numbers");
    *ret0 = make_tensor(self->dtype, self->rank, self->sizes);
    with_lines(*in, [&](auto number) {
      using Number = decltype(number);
      const double scale = factor(normalization, self->sizes[self->rank - 1]);
      if (self->dtype == complex128)
        of_complex<Number, double>(*in, **ret0, scale, forward != 0);
      else
        of_complex<Number, float>(*in, **ret0, scale, forward != 0);
    });
  });
}
