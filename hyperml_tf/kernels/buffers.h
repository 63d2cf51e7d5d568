// The memory of TensorFlow's variables, for work in place.

#ifndef HYPERML_TF_KERNELS_BUFFERS_H_
#define HYPERML_TF_KERNELS_BUFFERS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace hyperml {
namespace {

namespace tf = ::tensorflow;

// The variables that are an op's first inputs, locked as long as this lives.
class LockedVariables {
 public:
  absl::Status Lock(tf::OpKernelContext* context, int count) {
    std::vector<decltype(variables_[0]->mu())> mutexes;
    variables_.resize(count);
    for (int i = 0; i < count; ++i) {
      TF_RETURN_IF_ERROR(tf::LookupResource(context, tf::HandleFromInput(context, i),
                                            &variables_[i]));
      mutexes.push_back(variables_[i]->mu());
    }
    // One order for all, by address, as TensorFlow's own updates lock.
    std::sort(mutexes.begin(), mutexes.end());
    if (std::adjacent_find(mutexes.begin(), mutexes.end()) != mutexes.end()) {
      return absl::InvalidArgumentError("a variable is given twice");
    }
    locks_.reserve(count);
    for (auto* mutex : mutexes) locks_.emplace_back(*mutex);
    return absl::OkStatus();
  }

  tf::Var* operator[](int i) const { return variables_[i].get(); }

 private:
  std::vector<tf::core::RefCountPtr<tf::Var>> variables_;
  std::vector<tf::mutex_lock> locks_;  // given up before the variables are
};

// A variable's buffer, writable in place while `variable`'s mutex is held.
//
// As TensorFlow's own sparse updates do, it puts the variable into copy-on-read mode:
// from then on no tensor shares the buffer. One that shares it now keeps it, and the
// variable goes on with a copy.
absl::Status WritableBuffer(tf::OpKernelContext* context, tf::Var* variable,
                            tf::int64 columns, float** data, int64_t* rows) {
  tf::Tensor* tensor = variable->tensor();
  if (!variable->is_initialized || tensor->dtype() != tf::DT_FLOAT ||
      tensor->dims() != 2 || tensor->dim_size(1) != columns) {
    return absl::InvalidArgumentError(
        "tables and slots must be initialised float32 matrices [rows, dim], but K "
        "[dim, memory_size]");
  }
  if (!variable->copy_on_read_mode.load()) {
    if (!tensor->RefCountIsOne()) {
      tf::Tensor copy;
      TF_RETURN_IF_ERROR(context->allocate_temp(tf::DT_FLOAT, tensor->shape(), &copy));
      std::copy_n(tensor->flat<float>().data(), tensor->NumElements(),
                  copy.flat<float>().data());
      *tensor = copy;
    }
    variable->copy_on_read_mode.store(true);
  }
  *data = tensor->flat<float>().data();
  *rows = tensor->dim_size(0);
  return absl::OkStatus();
}

// Random rows of a large table miss the TLB at each page; asks for huge pages. Where
// the system has none, nothing changes but the speed.
void UseHugePages(float* data, int64_t bytes) {
#if defined(MADV_HUGEPAGE)
  constexpr uintptr_t kHuge = uintptr_t{1} << 21;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kHuge - 1) & ~(kHuge - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) & ~(kHuge - 1);
  if (end <= begin) return;
  void* first = reinterpret_cast<void*>(begin);
  madvise(first, end - begin, MADV_HUGEPAGE);
  // Since Linux 6.1, for pages that are there already. glibc 2.36 lacks its name.
  constexpr int kMadvCollapse = 25;
  madvise(first, end - begin, kMadvCollapse);
#endif
}

}  // namespace
}  // namespace hyperml

#endif  // HYPERML_TF_KERNELS_BUFFERS_H_
