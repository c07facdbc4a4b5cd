// The table of this instruction set.
#include "kernels/kernels.h"
#include "kernels/registration.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

#define TG_STRING_(x) #x
#define TG_STRING(x) TG_STRING_(x)

const KernelTable& table() {
  static KernelTable table;
  if (table.name) return table;
  const char* name = TG_STRING(TAPEGRAD_ISA_NS);
  register_arithmetic(table.elementwise);
  register_math(table.elementwise);
  register_activations(table.elementwise);
  register_logic(table.elementwise);
  register_losses(table.elementwise);
  register_casts(table.elementwise);
  register_gemm(table.gemm_f32, table.gemm_f64);
  register_random(table.random);
  register_copies(table.copy);
  register_index(table.index);
  register_optim(table.optim);
  register_reductions(table.reduce);
  register_arg_reductions(table.reduce);
  register_scans(table.scan);
  register_softmax(table.softmax);
  register_norms(table.norm);
  register_conv_patches(table.conv_f32, table.conv_f64);
  register_conv_grids(table.conv_f32, table.conv_f64);
  register_conv_tiles(table.conv_f32, table.conv_f64);
  register_conv_channels(table.conv_f32, table.conv_f64);
  register_conv_dots(table.conv_f32, table.conv_f64);
  register_pool(table.pool_f32, table.pool_f64);
  table.name = name;
  return table;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
