/* SPDX-License-Identifier: Apache-2.0 */
/* Place holders until the rules are written: weak, so that a real one wins. */
#include "lib/plain/plain.h"
#include "lib/plain/small_floats.h"

__attribute__((weak)) het_status het__plain_affine_grid(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_arg(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_attention(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_average_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_batch_norm(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_binary(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_cast(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_causal_conv(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_center_crop_pad(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_clip(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_col2im(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_compare(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_compress(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_concat(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_constant(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_constant_of_shape(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_conv(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_conv_integer(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_conv_transpose(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_cumulate(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_deform_conv(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_depth_to_space(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_dequantize(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_det(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_dft(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_dropout(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_dynamic_quantize(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_einsum(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_expand(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_eye_like(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_fast_gelu(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_flex_attention(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_gather(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_gather_elements(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_gather_nd(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_gemm(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_global_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_grid_sample(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_group_norm(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_identity(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_if(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_layer_norm(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_linear_attention(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_loop(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_loss(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_lp_norm(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_lp_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_lrn(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_mat_mul(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_mat_mul_integer(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_max_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_max_roi_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_max_unpool(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_mean_variance_norm(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_mel(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_multinomial(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_non_max_suppression(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_non_zero(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_not(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_one_hot(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_pad(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_qlinear_binary(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_qlinear_conv(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_qlinear_mat_mul(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_qlinear_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_quantize(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_random(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_range(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_recurrent(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_reduce(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_resize(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_reverse_sequence(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_roi_align(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_rotary_embedding(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_scan(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_scatter_elements(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_scatter_nd(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_shape(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_slice(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_softmax(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_space_to_depth(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_split(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_stft(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_tensor_scatter(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_test(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_tile(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_top_k(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_transpose(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_trilu(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_unary(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_unique(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_variadic(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_where(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) het_status het__plain_window(het__eval *e)
{
    return het__eval_unsupported(e, "no kernel yet");
}

__attribute__((weak)) double het__small_float_get(het_dtype dtype, uint8_t bits)
{
    (void)dtype;
    return bits;
}

__attribute__((weak)) uint8_t het__small_float_put(het_dtype dtype, double x, bool saturate)
{
    (void)dtype;
    (void)x;
    return saturate;
}
