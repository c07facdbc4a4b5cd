#include "kernels/elementwise_loops.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

void register_arithmetic(ElementwiseKernels& table) { register_ops(ArithmeticOps{}, table); }

}  // namespace tapegrad::TAPEGRAD_ISA_NS
