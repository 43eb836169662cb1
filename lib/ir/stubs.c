/* SPDX-License-Identifier: Apache-2.0 */
/* Place holders until the rules are written: weak, so that a real one wins. */
#include "lib/ir/shapes.h"

__attribute__((weak)) het_status het__shape_affine_grid(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_arg(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_attention(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_batch_norm(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_bit_cast(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_body(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_broadcast(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_cast(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_cast_like(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_causal_conv(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_center_crop_pad(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_col2im(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_compare(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_compress(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_concat(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_constant(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_constant_of_shape(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_conv(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_conv_transpose(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_depth_to_space(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_dequantize(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_det(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_dft(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_dropout(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_dynamic_quantize(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_einsum(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_expand(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_eye_like(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_flatten(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_flex_attention(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_gather(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_gather_elements(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_gather_nd(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_gemm(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_global_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_grid_sample(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_layer_norm(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_linear_attention(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_loss(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_mat_mul(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_max_roi_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_max_unpool(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_mel(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_multinomial(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_non_max_suppression(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_non_zero(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_one_hot(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_pad(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_qlinear_binary(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_qlinear_conv(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_qlinear_mat_mul(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_qlinear_pool(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_quantize(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_random(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_random_like(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_range(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_recurrent(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_reduce(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_reshape(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_resize(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_roi_align(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_same(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_shape(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_size(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_slice(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_space_to_depth(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_split(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_squeeze(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_stft(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_test(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_tile(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_top_k(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_transpose(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_unique(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_unsqueeze(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_where(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) het_status het__shape_window(het__eval *e)
{
    return het__eval_unsupported(e, "no rule yet");
}

__attribute__((weak)) void het__count_attention(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_causal_conv(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_conv(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_conv_transpose(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_dft(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_einsum(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_gemm(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_global_pool(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_linear_attention(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_lrn(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_mat_mul(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_norm(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_pool(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_recurrent(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_reduce(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

__attribute__((weak)) void het__count_softmax(const het__eval *e, het__work *work)
{
    (void)e;
    (void)work;
}

