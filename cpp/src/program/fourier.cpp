// Discrete Fourier transforms over the last dimension, through Eigen's FFT (kissfft), in float64.

#include <cmath>
#include <complex>
#include <stdexcept>
#include <vector>

#define EIGEN_NO_DEBUG
#include <unsupported/Eigen/FFT>

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>

#include "elements.h"

using namespace kit::program;

namespace {

using Complex = std::complex<double>;

/// What torch's number for a normalization says: 0 none, 1 by the root of the size, 2 by the size.
double factor(std::int64_t normalization, std::int64_t size) {
  if (normalization == 0) return 1;
  return normalization == 1 ? 1 / std::sqrt(static_cast<double>(size)) : 1 / static_cast<double>(size);
}

void check(const AtenTensorOpaque& self, const std::int64_t* dims, std::int64_t count) {
  if (count != 1 || wrapped(dims[0], self.rank) != self.rank - 1)
    throw std::runtime_error("a Fourier transform over another dimension than the last");
}

/// Transforms line after line: `From` elements of the input, `To` ones of the output.
template <typename From, typename To, typename Transform>
void transform(const AtenTensorOpaque& in, AtenTensorOpaque& out, double scale, Transform&& each) {
  using Read = std::conditional_t<is_complex<From>, Complex, double>;
  const std::int64_t size = in.sizes[in.rank - 1], results = out.sizes[in.rank - 1];
  if (size == 0 || results == 0) return;
  std::vector<Read> line(static_cast<std::size_t>(size));
  std::vector<Complex> spectrum(static_cast<std::size_t>(size) + 1);
  const From* from = elements<From>(in);
  To* to = elements<To>(out);
  for (std::int64_t left = in.numel() / size; left > 0; --left, from += size, to += results) {
    for (std::int64_t i = 0; i < size; ++i) line[static_cast<std::size_t>(i)] = Read(from[i]);
    each(spectrum.data(), line.data(), static_cast<int>(size));
    for (std::int64_t i = 0; i < results; ++i) to[i] = To(spectrum[static_cast<std::size_t>(i)] * scale);
  }
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
    Eigen::FFT<double> fft;
    const auto forward = [&](Complex* to, const double* from, int count) { fft.fwd(to, from, count); };
    if (wide)
      transform<double, std::complex<double>>(*in, **ret0, factor(normalization, size), forward);
    else
      transform<float, std::complex<float>>(*in, **ret0, factor(normalization, size), forward);
  });
}

AOTITorchError aoti_torch_cpu__fft_c2c(AtenTensorHandle self, const int64_t* dim, int64_t dim_len_,
                                       int64_t normalization, int32_t forward, AtenTensorHandle* ret0) {
  return guarded([&] {
    check(*self, dim, dim_len_);
    const Contiguous in(self);
    *ret0 = make_tensor(self->dtype, self->rank, self->sizes);
    Eigen::FFT<double> fft;
    fft.SetFlag(Eigen::FFT<double>::Unscaled);
    const auto both = [&](Complex* to, const Complex* from, int count) {
      if (forward != 0)
        fft.fwd(to, from, count);
      else
        fft.inv(to, from, count);
    };
    const double scale = factor(normalization, self->sizes[self->rank - 1]);
    if (self->dtype == complex128)
      transform<std::complex<double>, std::complex<double>>(*in, **ret0, scale, both);
    else if (self->dtype == complex64)
      transform<std::complex<float>, std::complex<float>>(*in, **ret0, scale, both);
    else
      throw std::runtime_error("a complex Fourier transform of real numbers");
  });
}
