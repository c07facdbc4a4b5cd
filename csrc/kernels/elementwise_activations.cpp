#include "kernels/elementwise_loops.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

void register_activations(ElementwiseKernels& table) { register_ops(ActivationOps{}, table); }

}  // namespace tapegrad::TAPEGRAD_ISA_NS
