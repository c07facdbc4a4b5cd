#include "kernels/elementwise_loops.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

void register_losses(ElementwiseKernels& table) { register_ops(LossOps{}, table); }

}  // namespace tapegrad::TAPEGRAD_ISA_NS
