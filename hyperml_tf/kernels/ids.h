// Checks of the rows that an op is given.

#ifndef HYPERML_TF_KERNELS_IDS_H_
#define HYPERML_TF_KERNELS_IDS_H_

#include <algorithm>
#include <cstdint>

#include "tensorflow/core/framework/op_kernel.h"

namespace hyperml {
namespace {

namespace tf = ::tensorflow;

// Whether all ids, of any shape, are rows of a table.
absl::Status CheckRows(const tf::Tensor& ids, int64_t rows, const char* name) {
  const int32_t* begin = ids.flat<int32_t>().data();
  const int64_t count = ids.NumElements();
  uint32_t largest = 0;  // a negative id is a large one
  for (int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, static_cast<uint32_t>(begin[i]));
  }
  if (count && largest >= rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, " id ", static_cast<int32_t>(largest), " is not in [0, ", rows, ")"));
  }
  return absl::OkStatus();
}

// Also whether they are a vector of `count`.
absl::Status CheckIds(const tf::Tensor& ids, int64_t count, int64_t rows,
                      const char* name) {
  if (ids.dims() != 1 || ids.NumElements() != count) {
    return absl::InvalidArgumentError("the ids of triplets must be three vectors of "
                                      "one length");
  }
  return CheckRows(ids, rows, name);
}

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_IDS_H_
