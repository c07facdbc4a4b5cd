#include "kernels/elementwise_loops.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

void register_logic(ElementwiseKernels& table) { register_ops(LogicOps{}, table); }

}  // namespace tapegrad::TAPEGRAD_ISA_NS
