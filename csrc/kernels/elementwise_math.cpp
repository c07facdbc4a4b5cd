#include "kernels/elementwise_loops.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

void register_math(ElementwiseKernels& table) { register_ops(MathOps{}, table); }

}  // namespace tapegrad::TAPEGRAD_ISA_NS
