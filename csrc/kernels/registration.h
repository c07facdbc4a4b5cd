// Each family's file fills its part of the table.
#pragma once
#include "kernels/kernels.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

void register_arithmetic(ElementwiseKernels& table);
void register_math(ElementwiseKernels& table);
void register_activations(ElementwiseKernels& table);
void register_logic(ElementwiseKernels& table);
void register_losses(ElementwiseKernels& table);
void register_casts(ElementwiseKernels& table);
void register_gemm(GemmKernels<float>& f32, GemmKernels<double>& f64);
void register_random(RandomKernels& table);
void register_copies(CopyKernels& table);
void register_index(IndexKernels& table);
void register_optim(OptimKernels& table);
void register_reductions(ReduceKernels& table);
void register_arg_reductions(ReduceKernels& table);
void register_scans(ScanKernels& table);
void register_softmax(SoftmaxKernels& table);
void register_norms(NormKernels& table);
void register_conv_patches(ConvKernels<float>& f32, ConvKernels<double>& f64);
void register_conv_grids(ConvKernels<float>& f32, ConvKernels<double>& f64);
void register_conv_tiles(ConvKernels<float>& f32, ConvKernels<double>& f64);
void register_conv_channels(ConvKernels<float>& f32, ConvKernels<double>& f64);
void register_conv_dots(ConvKernels<float>& f32, ConvKernels<double>& f64);
void register_pool(PoolKernels<float>& f32, PoolKernels<double>& f64);

}  // namespace tapegrad::TAPEGRAD_ISA_NS
