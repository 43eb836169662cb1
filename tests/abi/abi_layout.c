/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of every public struct and value of every public constant, as programs that are already
 * compiled know them (x86-64 and other LP64 systems).
 *
 * Append only. A new field gets a new line, and the SIZE line of its struct changes: sizes may
 * grow, nothing else may. Whoever must change or remove a FIELD or VALUE line breaks programs, and
 * raises HET_ABI_VERSION in the same commit. Compiling this file is the test; check_layout.py sees
 * to it that no field of the headers is missing here.
 */
#include <hetinfer.h>

#if defined(__LP64__)

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define FIELD(type, field, offset, bytes)                                             \
    _Static_assert(offsetof(type, field) == (offset), "offset of " #type "." #field); \
    _Static_assert(sizeof(((type *)0)->field) == (bytes), "size of " #type "." #field)
#define VALUE(name, value) _Static_assert((name) == (value), "value of " #name)

SIZE(het_error, 256);
FIELD(het_error, struct_size, 0, 4);
FIELD(het_error, status, 4, 4);
FIELD(het_error, native_code, 8, 4);
FIELD(het_error, layer, 12, 4);
FIELD(het_error, backend, 16, 16);
FIELD(het_error, message, 32, 224);

SIZE(het_allocator, 32);
FIELD(het_allocator, struct_size, 0, 4);
FIELD(het_allocator, flags, 4, 4);
FIELD(het_allocator, user, 8, 8);
FIELD(het_allocator, alloc, 16, 8);
FIELD(het_allocator, free, 24, 8);

SIZE(het_context_options, 48);
FIELD(het_context_options, struct_size, 0, 4);
FIELD(het_context_options, log_level, 4, 4);
FIELD(het_context_options, flags, 8, 8);
FIELD(het_context_options, allocator, 16, 8);
FIELD(het_context_options, log, 24, 8);
FIELD(het_context_options, log_user, 32, 8);
FIELD(het_context_options, backends, 40, 8);

SIZE(het_device_info, 304);
FIELD(het_device_info, struct_size, 0, 4);
FIELD(het_device_info, kind, 4, 4);
FIELD(het_device_info, index, 8, 4);
FIELD(het_device_info, unit_count, 12, 4);
FIELD(het_device_info, memory_bytes, 16, 8);
FIELD(het_device_info, flags, 24, 8);
FIELD(het_device_info, backend, 32, 16);
FIELD(het_device_info, name, 48, 64);
FIELD(het_device_info, features, 112, 128);
FIELD(het_device_info, driver, 240, 64);

SIZE(het_device_figures, 48);
FIELD(het_device_figures, struct_size, 0, 4);
FIELD(het_device_figures, source, 4, 4);
FIELD(het_device_figures, read_bytes_per_s, 8, 8);
FIELD(het_device_figures, f32_ops_per_s, 16, 8);
FIELD(het_device_figures, bf16_ops_per_s, 24, 8);
FIELD(het_device_figures, int8_ops_per_s, 32, 8);
FIELD(het_device_figures, launch_ns, 40, 8);

SIZE(het_generate_options, 56);
FIELD(het_generate_options, struct_size, 0, 4);
FIELD(het_generate_options, max_tokens, 4, 4);
FIELD(het_generate_options, flags, 8, 8);
FIELD(het_generate_options, sampler, 16, 8);
FIELD(het_generate_options, stop, 24, 8);
FIELD(het_generate_options, stop_count, 32, 8);
FIELD(het_generate_options, piece, 40, 8);
FIELD(het_generate_options, piece_user, 48, 8);

SIZE(het_generate_result, 40);
FIELD(het_generate_result, struct_size, 0, 4);
FIELD(het_generate_result, finish, 4, 4);
FIELD(het_generate_result, prompt_count, 8, 8);
FIELD(het_generate_result, generated_count, 16, 8);
FIELD(het_generate_result, prompt_ns, 24, 8);
FIELD(het_generate_result, generated_ns, 32, 8);

SIZE(het_model_options, 40);
FIELD(het_model_options, struct_size, 0, 4);
FIELD(het_model_options, reserved, 4, 4);
FIELD(het_model_options, flags, 8, 8);
FIELD(het_model_options, progress, 16, 8);
FIELD(het_model_options, progress_user, 24, 8);
FIELD(het_model_options, weight_dtype, 32, 4);
FIELD(het_model_options, reserved_1, 36, 4);

SIZE(het_model_info, 192);
FIELD(het_model_info, struct_size, 0, 4);
FIELD(het_model_info, layer_count, 4, 4);
FIELD(het_model_info, parameter_count, 8, 8);
FIELD(het_model_info, active_count, 16, 8);
FIELD(het_model_info, weight_bytes, 24, 8);
FIELD(het_model_info, kv_bytes_per_token, 32, 8);
FIELD(het_model_info, context_max, 40, 8);
FIELD(het_model_info, embedding_size, 48, 8);
FIELD(het_model_info, vocabulary_size, 56, 8);
FIELD(het_model_info, head_count, 64, 4);
FIELD(het_model_info, kv_head_count, 68, 4);
FIELD(het_model_info, expert_count, 72, 4);
FIELD(het_model_info, expert_used_count, 76, 4);
FIELD(het_model_info, format, 80, 16);
FIELD(het_model_info, architecture, 96, 32);
FIELD(het_model_info, name, 128, 64);

SIZE(het_metadata, 32);
FIELD(het_metadata, struct_size, 0, 4);
FIELD(het_metadata, reserved, 4, 4);
FIELD(het_metadata, key, 8, 8);
FIELD(het_metadata, type, 16, 8);
FIELD(het_metadata, value, 24, 8);

SIZE(het_weight, 112);
FIELD(het_weight, struct_size, 0, 4);
FIELD(het_weight, layer, 4, 4);
FIELD(het_weight, name, 8, 8);
FIELD(het_weight, module, 16, 8);
FIELD(het_weight, desc, 24, 80);
FIELD(het_weight, size_bytes, 104, 8);

SIZE(het_port, 160);
FIELD(het_port, struct_size, 0, 4);
FIELD(het_port, reserved, 4, 4);
FIELD(het_port, name, 8, 8);
FIELD(het_port, desc, 16, 80);
FIELD(het_port, symbol, 96, 64);

SIZE(het_plan_options, 80);
FIELD(het_plan_options, struct_size, 0, 4);
FIELD(het_plan_options, phase, 4, 4);
FIELD(het_plan_options, token_count, 8, 8);
FIELD(het_plan_options, context_count, 16, 8);
FIELD(het_plan_options, flags, 24, 8);
FIELD(het_plan_options, devices, 32, 8);
FIELD(het_plan_options, threads, 40, 4);
FIELD(het_plan_options, measure, 44, 4);
FIELD(het_plan_options, machine, 48, 8);
FIELD(het_plan_options, policy, 56, 8);
FIELD(het_plan_options, objective, 64, 4);
FIELD(het_plan_options, sequence_count, 68, 4);
FIELD(het_plan_options, output_count, 72, 8);

SIZE(het_plan_info, 128);
FIELD(het_plan_info, struct_size, 0, 4);
FIELD(het_plan_info, layer_count, 4, 4);
FIELD(het_plan_info, node_count, 8, 4);
FIELD(het_plan_info, unfused_count, 12, 4);
FIELD(het_plan_info, figures_source, 16, 4);
FIELD(het_plan_info, transfer_count, 20, 4);
FIELD(het_plan_info, predicted_ns, 24, 8);
FIELD(het_plan_info, flop_count, 32, 8);
FIELD(het_plan_info, weight_bytes, 40, 8);
FIELD(het_plan_info, activation_bytes, 48, 8);
FIELD(het_plan_info, transfer_bytes, 56, 8);
FIELD(het_plan_info, device_count, 64, 4);
FIELD(het_plan_info, objective, 68, 4);
FIELD(het_plan_info, is_proven, 72, 4);
FIELD(het_plan_info, broken_count, 76, 4);
FIELD(het_plan_info, total, 80, 8);
FIELD(het_plan_info, bound, 88, 8);
FIELD(het_plan_info, greedy_total, 96, 8);
FIELD(het_plan_info, simulated_ns, 104, 8);
FIELD(het_plan_info, split_ns, 112, 8);
FIELD(het_plan_info, split_count, 120, 4);
FIELD(het_plan_info, best_single, 124, 4);

SIZE(het_plan_layer, 112);
FIELD(het_plan_layer, struct_size, 0, 4);
FIELD(het_plan_layer, layer, 4, 4);
FIELD(het_plan_layer, device, 8, 4);
FIELD(het_plan_layer, node_count, 12, 4);
FIELD(het_plan_layer, name, 16, 8);
FIELD(het_plan_layer, backend, 24, 8);
FIELD(het_plan_layer, operations, 32, 8);
FIELD(het_plan_layer, reason, 40, 8);
FIELD(het_plan_layer, predicted_ns, 48, 8);
FIELD(het_plan_layer, flop_count, 56, 8);
FIELD(het_plan_layer, weight_bytes, 64, 8);
FIELD(het_plan_layer, activation_bytes, 72, 8);
FIELD(het_plan_layer, stored_bytes, 80, 8);
FIELD(het_plan_layer, state_bytes, 88, 8);
FIELD(het_plan_layer, runner_up_total, 96, 8);
FIELD(het_plan_layer, runner_up, 104, 4);
FIELD(het_plan_layer, plan_device, 108, 4);

SIZE(het_plan_device, 96);
FIELD(het_plan_device, struct_size, 0, 4);
FIELD(het_plan_device, kind, 4, 4);
FIELD(het_plan_device, context_index, 8, 4);
FIELD(het_plan_device, node_count, 12, 4);
FIELD(het_plan_device, name, 16, 8);
FIELD(het_plan_device, backend, 24, 8);
FIELD(het_plan_device, weight_bytes, 32, 8);
FIELD(het_plan_device, file_bytes, 40, 8);
FIELD(het_plan_device, state_bytes, 48, 8);
FIELD(het_plan_device, io_bytes, 56, 8);
FIELD(het_plan_device, activation_bytes, 64, 8);
FIELD(het_plan_device, limit_bytes, 72, 8);
FIELD(het_plan_device, busy_ns, 80, 8);
FIELD(het_plan_device, single_total, 88, 8);

SIZE(het_plan_split, 40);
FIELD(het_plan_split, struct_size, 0, 4);
FIELD(het_plan_split, device, 4, 4);
FIELD(het_plan_split, other, 8, 4);
FIELD(het_plan_split, node_count, 12, 4);
FIELD(het_plan_split, name, 16, 8);
FIELD(het_plan_split, share, 24, 8);
FIELD(het_plan_split, simulated_ns, 32, 8);

SIZE(het_plan_transfer, 40);
FIELD(het_plan_transfer, struct_size, 0, 4);
FIELD(het_plan_transfer, from, 4, 4);
FIELD(het_plan_transfer, to, 8, 4);
FIELD(het_plan_transfer, layer, 12, 4);
FIELD(het_plan_transfer, name, 16, 8);
FIELD(het_plan_transfer, bytes, 24, 8);
FIELD(het_plan_transfer, predicted_ns, 32, 8);

SIZE(het_logit_bias, 8);
FIELD(het_logit_bias, id, 0, 4);
FIELD(het_logit_bias, bias, 4, 4);

SIZE(het_sampler_options, 72);
FIELD(het_sampler_options, struct_size, 0, 4);
FIELD(het_sampler_options, flags, 4, 4);
FIELD(het_sampler_options, seed, 8, 8);
FIELD(het_sampler_options, temperature, 16, 4);
FIELD(het_sampler_options, top_k, 20, 4);
FIELD(het_sampler_options, top_p, 24, 4);
FIELD(het_sampler_options, min_p, 28, 4);
FIELD(het_sampler_options, repeat_penalty, 32, 4);
FIELD(het_sampler_options, frequency_penalty, 36, 4);
FIELD(het_sampler_options, presence_penalty, 40, 4);
FIELD(het_sampler_options, penalty_window, 44, 4);
FIELD(het_sampler_options, bias, 48, 8);
FIELD(het_sampler_options, bias_count, 56, 8);
FIELD(het_sampler_options, order, 64, 8);

SIZE(het_session_options, 96);
FIELD(het_session_options, struct_size, 0, 4);
FIELD(het_session_options, threads, 4, 4);
FIELD(het_session_options, flags, 8, 8);
FIELD(het_session_options, context_max, 16, 8);
FIELD(het_session_options, sequence_max, 24, 4);
FIELD(het_session_options, batch_max, 28, 4);
FIELD(het_session_options, logits_max, 32, 4);
FIELD(het_session_options, kv_dtype, 36, 4);
FIELD(het_session_options, precision, 40, 4);
FIELD(het_session_options, reserved, 44, 4);
FIELD(het_session_options, devices, 48, 8);
FIELD(het_session_options, progress, 56, 8);
FIELD(het_session_options, progress_user, 64, 8);
FIELD(het_session_options, parallel, 72, 8);
FIELD(het_session_options, parallel_user, 80, 8);
FIELD(het_session_options, weight_cache, 88, 8);

SIZE(het_telemetry, 96);
FIELD(het_telemetry, struct_size, 0, 4);
FIELD(het_telemetry, sequence_count, 4, 4);
FIELD(het_telemetry, step_count, 8, 8);
FIELD(het_telemetry, prefill_token_count, 16, 8);
FIELD(het_telemetry, decode_token_count, 24, 8);
FIELD(het_telemetry, prefill_ns, 32, 8);
FIELD(het_telemetry, decode_ns, 40, 8);
FIELD(het_telemetry, weight_bytes, 48, 8);
FIELD(het_telemetry, mapped_bytes, 56, 8);
FIELD(het_telemetry, kv_bytes, 64, 8);
FIELD(het_telemetry, kv_used_bytes, 72, 8);
FIELD(het_telemetry, activation_bytes, 80, 8);
FIELD(het_telemetry, allocation_count, 88, 8);

SIZE(het_tensor_desc, 80);
FIELD(het_tensor_desc, struct_size, 0, 4);
FIELD(het_tensor_desc, dtype, 4, 4);
FIELD(het_tensor_desc, rank, 8, 4);
FIELD(het_tensor_desc, flags, 12, 4);
FIELD(het_tensor_desc, extent, 16, 64);

SIZE(het_tensor, 104);
FIELD(het_tensor, struct_size, 0, 4);
FIELD(het_tensor, reserved, 4, 4);
FIELD(het_tensor, size_bytes, 8, 8);
FIELD(het_tensor, data, 16, 8);
FIELD(het_tensor, desc, 24, 80);

SIZE(het_tokenizer_info, 64);
FIELD(het_tokenizer_info, struct_size, 0, 4);
FIELD(het_tokenizer_info, flags, 4, 4);
FIELD(het_tokenizer_info, token_count, 8, 4);
FIELD(het_tokenizer_info, bos_id, 12, 4);
FIELD(het_tokenizer_info, eos_id, 16, 4);
FIELD(het_tokenizer_info, unknown_id, 20, 4);
FIELD(het_tokenizer_info, padding_id, 24, 4);
FIELD(het_tokenizer_info, adds_bos, 28, 4);
FIELD(het_tokenizer_info, kind, 32, 16);
FIELD(het_tokenizer_info, rule, 48, 16);

_Static_assert(sizeof(het_status) == 4, "size of het_status");
VALUE(HET_OK, 0);
VALUE(HET_E_INVALID, -1);
VALUE(HET_E_NOMEM, -2);
VALUE(HET_E_UNSUPPORTED, -3);
VALUE(HET_E_VERSION, -4);
VALUE(HET_E_FORMAT, -5);
VALUE(HET_E_IO, -6);
VALUE(HET_E_BUSY, -7);
VALUE(HET_E_TIMEOUT, -8);
VALUE(HET_E_CANCELLED, -9);
VALUE(HET_E_DEVICE_LOST, -10);
VALUE(HET_E_INTERNAL, -11);

_Static_assert(sizeof(het_dtype) == 4, "size of het_dtype");
VALUE(HET_DTYPE_NONE, 0);
VALUE(HET_DTYPE_F32, 1);
VALUE(HET_DTYPE_F16, 2);
VALUE(HET_DTYPE_BF16, 3);
VALUE(HET_DTYPE_F64, 4);
VALUE(HET_DTYPE_I8, 5);
VALUE(HET_DTYPE_I16, 6);
VALUE(HET_DTYPE_I32, 7);
VALUE(HET_DTYPE_I64, 8);
VALUE(HET_DTYPE_U8, 9);
VALUE(HET_DTYPE_U16, 10);
VALUE(HET_DTYPE_U32, 11);
VALUE(HET_DTYPE_U64, 12);
VALUE(HET_DTYPE_BOOL, 13);
VALUE(HET_DTYPE_F8E4M3, 14);
VALUE(HET_DTYPE_F8E4M3UZ, 15);
VALUE(HET_DTYPE_F8E5M2, 16);
VALUE(HET_DTYPE_F8E5M2UZ, 17);
VALUE(HET_DTYPE_F8E8M0, 18);
VALUE(HET_DTYPE_F4E2M1, 19);
VALUE(HET_DTYPE_I4, 20);
VALUE(HET_DTYPE_U4, 21);
VALUE(HET_DTYPE_I2, 22);
VALUE(HET_DTYPE_U2, 23);
VALUE(HET_DTYPE_Q4_0, 32);
VALUE(HET_DTYPE_Q4_1, 33);
VALUE(HET_DTYPE_Q5_0, 34);
VALUE(HET_DTYPE_Q5_1, 35);
VALUE(HET_DTYPE_Q8_0, 36);
VALUE(HET_DTYPE_Q8_1, 37);
VALUE(HET_DTYPE_Q2_K, 38);
VALUE(HET_DTYPE_Q3_K, 39);
VALUE(HET_DTYPE_Q4_K, 40);
VALUE(HET_DTYPE_Q5_K, 41);
VALUE(HET_DTYPE_Q6_K, 42);
VALUE(HET_DTYPE_Q8_K, 43);
VALUE(HET_DTYPE_IQ4_NL, 44);
VALUE(HET_DTYPE_IQ4_XS, 45);
VALUE(HET_DTYPE_MXFP4, 46);

_Static_assert(sizeof(het_log_level) == 4, "size of het_log_level");
VALUE(HET_LOG_ERROR, 1);
VALUE(HET_LOG_WARN, 2);
VALUE(HET_LOG_INFO, 3);
VALUE(HET_LOG_DEBUG, 4);
VALUE(HET_LOG_TRACE, 5);

_Static_assert(sizeof(het_device_kind) == 4, "size of het_device_kind");
VALUE(HET_DEVICE_CPU, 1);
VALUE(HET_DEVICE_IGPU, 2);
VALUE(HET_DEVICE_GPU, 3);
VALUE(HET_DEVICE_NPU, 4);
VALUE(HET_DEVICE_REFERENCE, 5);
VALUE(HET_DEVICE_SIMULATED, 6);

_Static_assert(sizeof(het_source) == 4, "size of het_source");
VALUE(HET_SOURCE_UNAVAILABLE, 0);
VALUE(HET_SOURCE_MEASURED, 1);
VALUE(HET_SOURCE_MODELLED, 2);
VALUE(HET_SOURCE_DATASHEET, 3);
VALUE(HET_SOURCE_ASSUMED, 4);

_Static_assert(sizeof(het_finish) == 4, "size of het_finish");
VALUE(HET_FINISH_LENGTH, 1);
VALUE(HET_FINISH_END, 2);
VALUE(HET_FINISH_STOP, 3);
VALUE(HET_FINISH_CALLBACK, 4);

_Static_assert(sizeof(het_phase) == 4, "size of het_phase");
VALUE(HET_PHASE_DECODE, 0);
VALUE(HET_PLAN_SPLIT, UINT64_C(1) << 0);
VALUE(HET_PLAN_ALONE, UINT64_C(1) << 1);
VALUE(HET_PHASE_PREFILL, 1);

_Static_assert(sizeof(het_filter) == 4, "size of het_filter");
VALUE(HET_FILTER_NONE, 0);
VALUE(HET_FILTER_PENALTIES, 1);
VALUE(HET_FILTER_TEMPERATURE, 2);
VALUE(HET_FILTER_TOP_K, 3);
VALUE(HET_FILTER_TOP_P, 4);
VALUE(HET_FILTER_MIN_P, 5);

_Static_assert(sizeof(het_precision) == 4, "size of het_precision");
VALUE(HET_PRECISION_FAST, 0);
VALUE(HET_PRECISION_EXACT, 1);

VALUE(HET_CONTEXT_NO_ENV, 1);
VALUE(HET_GENERATE_NO_BOS, 1);
VALUE(HET_GENERATE_IGNORE_END, 2);
VALUE(HET_GENERATE_PARSE_SPECIAL, 4);
VALUE(HET_MODEL_INSPECT_ONLY, 1);
VALUE(HET_MODEL_TOKENIZER_ONLY, 2);
VALUE(HET_SAMPLER_GREEDY, 1);
VALUE(HET_OFF, -1);
VALUE(HET_APPEND_LOGITS_ALL, 1);
VALUE(HET_SESSION_WEIGHTS_MAPPED, 1);
VALUE(HET_SESSION_PIN_THREADS, 2);
VALUE(HET_ENCODE_ADD_SPECIAL, 1);
VALUE(HET_ENCODE_PARSE_SPECIAL, 2);
VALUE(HET_DECODE_SPECIAL, 1);
VALUE(HET_TOKEN_END, 1);
VALUE(HET_TOKEN_CONTROL, 2);
VALUE(HET_TOKEN_BYTE, 4);
VALUE(HET_TOKEN_UNKNOWN, 8);
VALUE(HET_RANK_MAX, 8);
VALUE(HET_TENSOR_RANK_UNKNOWN, 1);

SIZE(het_op_cost, 24);
FIELD(het_op_cost, struct_size, 0, 4);
FIELD(het_op_cost, reserved, 4, 4);
FIELD(het_op_cost, flop_count, 8, 8);
FIELD(het_op_cost, extra_bytes, 16, 8);

SIZE(het_op_info, 96);
FIELD(het_op_info, struct_size, 0, 4);
FIELD(het_op_info, reserved, 4, 4);
FIELD(het_op_info, flags, 8, 8);
FIELD(het_op_info, domain, 16, 8);
FIELD(het_op_info, name, 24, 8);
FIELD(het_op_info, version_min, 32, 4);
FIELD(het_op_info, version_max, 36, 4);
FIELD(het_op_info, inputs_min, 40, 4);
FIELD(het_op_info, inputs_max, 44, 4);
FIELD(het_op_info, outputs_min, 48, 4);
FIELD(het_op_info, outputs_max, 52, 4);
FIELD(het_op_info, user, 56, 8);
FIELD(het_op_info, shape, 64, 8);
FIELD(het_op_info, cost, 72, 8);
FIELD(het_op_info, compute, 80, 8);
FIELD(het_op_info, release, 88, 8);

VALUE(HET_OP_OPERANDS_MAX, 64);
VALUE(HET_OP_PURE, 1);

_Static_assert(sizeof(het_group_rule) == 4, "size of het_group_rule");
VALUE(HET_GROUP_GREEDY, 0);
VALUE(HET_GROUP_PATTERNS, 1);
VALUE(HET_GROUP_SEARCH, 2);
VALUE(HET_GROUPS_RECOGNISE, 1);

SIZE(het_groups_options, 56);
FIELD(het_groups_options, struct_size, 0, 4);
FIELD(het_groups_options, rule, 4, 4);
FIELD(het_groups_options, flags, 8, 8);
FIELD(het_groups_options, touched_bytes_max, 16, 8);
FIELD(het_groups_options, near_bytes, 24, 8);
FIELD(het_groups_options, inputs, 32, 8);
FIELD(het_groups_options, input_count, 40, 8);
FIELD(het_groups_options, operation_count_max, 48, 4);
FIELD(het_groups_options, device, 52, 4);

SIZE(het_groups_info, 96);
FIELD(het_groups_info, struct_size, 0, 4);
FIELD(het_groups_info, group_count, 4, 4);
FIELD(het_groups_info, node_count, 8, 4);
FIELD(het_groups_info, spelled_count, 12, 4);
FIELD(het_groups_info, greedy_count, 16, 4);
FIELD(het_groups_info, patterns_count, 20, 4);
FIELD(het_groups_info, figures_source, 24, 4);
FIELD(het_groups_info, is_proven, 28, 4);
FIELD(het_groups_info, spelled_bytes, 32, 8);
FIELD(het_groups_info, unfused_bytes, 40, 8);
FIELD(het_groups_info, traffic_bytes, 48, 8);
FIELD(het_groups_info, inner_bytes, 56, 8);
FIELD(het_groups_info, unfused_ns, 64, 8);
FIELD(het_groups_info, predicted_ns, 72, 8);
FIELD(het_groups_info, greedy_ns, 80, 8);
FIELD(het_groups_info, patterns_ns, 88, 8);

SIZE(het_group, 56);
FIELD(het_group, struct_size, 0, 4);
FIELD(het_group, node_count, 4, 4);
FIELD(het_group, operations, 8, 8);
FIELD(het_group, names, 16, 8);
FIELD(het_group, predicted_ns, 24, 8);
FIELD(het_group, unfused_bytes, 32, 8);
FIELD(het_group, traffic_bytes, 40, 8);
FIELD(het_group, inner_bytes, 48, 8);

_Static_assert(sizeof(het_figure_kind) == 4, "size of het_figure_kind");
VALUE(HET_FIGURE_F32, 0);
VALUE(HET_FIGURE_F16, 1);
VALUE(HET_FIGURE_BF16, 2);
VALUE(HET_FIGURE_INT8, 3);
VALUE(HET_FIGURE_BANDWIDTH, 4);
VALUE(HET_FIGURE_LAUNCH, 5);
VALUE(HET_FIGURE_UNITS, 6);
VALUE(HET_FIGURE_LANES, 7);
VALUE(HET_FIGURE_CLOCK, 8);
VALUE(HET_FIGURE_NEAR_BYTES, 9);
VALUE(HET_FIGURE_CACHE_BYTES, 10);
VALUE(HET_FIGURE_MEMORY_BYTES, 11);
VALUE(HET_FIGURE_WATTS, 12);
VALUE(HET_FIGURE_JOULES_PER_OP, 13);
VALUE(HET_FIGURE_JOULES_PER_BYTE, 14);
VALUE(HET_FIGURE_PRICE_PER_HOUR, 15);
VALUE(HET_FIGURE_SHARED_BANDWIDTH, 16);
VALUE(HET_FIGURE_SHARED_BYTES, 17);
_Static_assert(sizeof(het_unit_class) == 4, "size of het_unit_class");
VALUE(HET_UNITS_CORES, 0);
VALUE(HET_UNITS_SIMT, 1);
VALUE(HET_UNITS_SYSTOLIC, 2);
VALUE(HET_UNITS_TILES, 3);

SIZE(het_figure, 48);
FIELD(het_figure, struct_size, 0, 4);
FIELD(het_figure, source, 4, 4);
FIELD(het_figure, value, 8, 8);
FIELD(het_figure, kind, 16, 4);
FIELD(het_figure, is_unverified, 20, 4);
FIELD(het_figure, name, 24, 8);
FIELD(het_figure, unit, 32, 8);
FIELD(het_figure, origin, 40, 8);

SIZE(het_machine_options, 16);
FIELD(het_machine_options, struct_size, 0, 4);
FIELD(het_machine_options, threads, 4, 4);
FIELD(het_machine_options, measure, 8, 4);
FIELD(het_machine_options, flags, 12, 4);

SIZE(het_machine_info, 32);
FIELD(het_machine_info, struct_size, 0, 4);
FIELD(het_machine_info, device_count, 4, 4);
FIELD(het_machine_info, memory_count, 8, 4);
FIELD(het_machine_info, link_count, 12, 4);
FIELD(het_machine_info, name, 16, 8);
FIELD(het_machine_info, about, 24, 8);

SIZE(het_machine_device, 48);
FIELD(het_machine_device, struct_size, 0, 4);
FIELD(het_machine_device, kind, 4, 4);
FIELD(het_machine_device, unit_class, 8, 4);
FIELD(het_machine_device, context_index, 12, 4);
FIELD(het_machine_device, memory, 16, 4);
FIELD(het_machine_device, figures_source, 20, 4);
FIELD(het_machine_device, name, 24, 8);
FIELD(het_machine_device, backend, 32, 8);
FIELD(het_machine_device, memory_name, 40, 8);

_Static_assert(sizeof(het_schedule) == 4, "size of het_schedule");
VALUE(HET_SCHEDULE_DEFAULT, 0);
VALUE(HET_SCHEDULE_IN_ORDER, 1);
VALUE(HET_SCHEDULE_FIFO, 2);
VALUE(HET_SCHEDULE_BANDWIDTH, 3);
VALUE(HET_SCHEDULE_CRITICAL_PATH, 4);
_Static_assert(sizeof(het_fault_kind) == 4, "size of het_fault_kind");
VALUE(HET_FAULT_SLOW, 1);
VALUE(HET_FAULT_LOSS, 2);
VALUE(HET_FAULT_ERROR, 3);
VALUE(HET_SIMULATION_BY_NODE, 1);
VALUE(HET_SIMULATION_ADAPTIVE, 2);
_Static_assert(sizeof(het_outcome) == 4, "size of het_outcome");
VALUE(HET_OUTCOME_DONE, 0);
VALUE(HET_OUTCOME_FAILED, 1);
VALUE(HET_OUTCOME_LOST, 2);
_Static_assert(sizeof(het_wait_cause) == 4, "size of het_wait_cause");
VALUE(HET_WAIT_NOTHING, 0);
VALUE(HET_WAIT_DATA, 1);
VALUE(HET_WAIT_LANE, 2);
VALUE(HET_WAIT_TOKENS, 3);
VALUE(HET_WAIT_QUEUE, 4);
VALUE(HET_WAIT_FAULT, 5);

SIZE(het_fault, 40);
FIELD(het_fault, kind, 0, 4);
FIELD(het_fault, device, 4, 4);
FIELD(het_fault, index, 8, 4);
FIELD(het_fault, count, 12, 4);
FIELD(het_fault, begin_ns, 16, 8);
FIELD(het_fault, end_ns, 24, 8);
FIELD(het_fault, factor, 32, 8);

SIZE(het_simulation_options, 88);
FIELD(het_simulation_options, struct_size, 0, 4);
FIELD(het_simulation_options, schedule, 4, 4);
FIELD(het_simulation_options, flags, 8, 8);
FIELD(het_simulation_options, step_count, 16, 4);
FIELD(het_simulation_options, sequence_count, 20, 4);
FIELD(het_simulation_options, micro_batch_count, 24, 4);
FIELD(het_simulation_options, micro_batch_min, 28, 4);
FIELD(het_simulation_options, buffer_count, 32, 4);
FIELD(het_simulation_options, round_count_max, 36, 4);
FIELD(het_simulation_options, queue_count_max, 40, 4);
FIELD(het_simulation_options, retry_count_max, 44, 4);
FIELD(het_simulation_options, backoff_ns, 48, 8);
FIELD(het_simulation_options, token_bytes_per_s, 56, 8);
FIELD(het_simulation_options, policy, 64, 8);
FIELD(het_simulation_options, faults, 72, 8);
FIELD(het_simulation_options, fault_count, 80, 4);
FIELD(het_simulation_options, fallback, 84, 4);

SIZE(het_simulation_info, 88);
FIELD(het_simulation_info, struct_size, 0, 4);
FIELD(het_simulation_info, is_complete, 4, 4);
FIELD(het_simulation_info, device_count, 8, 4);
FIELD(het_simulation_info, lane_count, 12, 4);
FIELD(het_simulation_info, memory_count, 16, 4);
FIELD(het_simulation_info, event_count, 20, 4);
FIELD(het_simulation_info, rate_count, 24, 4);
FIELD(het_simulation_info, round_count, 28, 4);
FIELD(het_simulation_info, task_count, 32, 4);
FIELD(het_simulation_info, figures_source, 36, 4);
FIELD(het_simulation_info, token_count, 40, 8);
FIELD(het_simulation_info, makespan_ns, 48, 8);
FIELD(het_simulation_info, round_ns, 56, 8);
FIELD(het_simulation_info, bound_ns, 64, 8);
FIELD(het_simulation_info, held_ns, 72, 8);
FIELD(het_simulation_info, joules, 80, 8);

SIZE(het_simulation_event, 88);
FIELD(het_simulation_event, struct_size, 0, 4);
FIELD(het_simulation_event, lane, 4, 4);
FIELD(het_simulation_event, task, 8, 4);
FIELD(het_simulation_event, round, 12, 4);
FIELD(het_simulation_event, sequence, 16, 4);
FIELD(het_simulation_event, outcome, 20, 4);
FIELD(het_simulation_event, wait, 24, 4);
FIELD(het_simulation_event, after, 28, 4);
FIELD(het_simulation_event, layer, 32, 4);
FIELD(het_simulation_event, is_transfer, 36, 4);
FIELD(het_simulation_event, name, 40, 8);
FIELD(het_simulation_event, operations, 48, 8);
FIELD(het_simulation_event, ready_ns, 56, 8);
FIELD(het_simulation_event, begin_ns, 64, 8);
FIELD(het_simulation_event, end_ns, 72, 8);
FIELD(het_simulation_event, bytes, 80, 8);

SIZE(het_simulation_lane, 80);
FIELD(het_simulation_lane, struct_size, 0, 4);
FIELD(het_simulation_lane, from, 4, 4);
FIELD(het_simulation_lane, to, 8, 4);
FIELD(het_simulation_lane, memory, 12, 4);
FIELD(het_simulation_lane, task_count, 16, 4);
FIELD(het_simulation_lane, queue_peak, 20, 4);
FIELD(het_simulation_lane, name, 24, 8);
FIELD(het_simulation_lane, backend, 32, 8);
FIELD(het_simulation_lane, busy_ns, 40, 8);
FIELD(het_simulation_lane, contended_ns, 48, 8);
FIELD(het_simulation_lane, throttled_ns, 56, 8);
FIELD(het_simulation_lane, idle_ns, 64, 8);
FIELD(het_simulation_lane, lost_ns, 72, 8);

SIZE(het_simulation_memory, 48);
FIELD(het_simulation_memory, struct_size, 0, 4);
FIELD(het_simulation_memory, lane_count, 4, 4);
FIELD(het_simulation_memory, name, 8, 8);
FIELD(het_simulation_memory, bytes_per_s, 16, 8);
FIELD(het_simulation_memory, bytes, 24, 8);
FIELD(het_simulation_memory, peak_bytes_per_s, 32, 8);
FIELD(het_simulation_memory, saturated_ns, 40, 8);

SIZE(het_simulation_rate, 24);
FIELD(het_simulation_rate, struct_size, 0, 4);
FIELD(het_simulation_rate, memory, 4, 4);
FIELD(het_simulation_rate, at_ns, 8, 8);
FIELD(het_simulation_rate, bytes_per_s, 16, 8);

_Static_assert(sizeof(het_objective) == 4, "size of het_objective");
VALUE(HET_OBJECTIVE_DEFAULT, 0);
VALUE(HET_OBJECTIVE_LATENCY, 1);
VALUE(HET_OBJECTIVE_THROUGHPUT, 2);
VALUE(HET_OBJECTIVE_ENERGY, 3);
_Static_assert(sizeof(het_rule_kind) == 4, "size of het_rule_kind");
VALUE(HET_RULE_MUST, 1);
VALUE(HET_RULE_PREFER, 2);
VALUE(HET_RULE_NEVER, 3);
VALUE(HET_POLICY_BY_PLANS, 1);
VALUE(HET_POLICY_BY_SIMULATION, 2);
VALUE(HET_POLICY_BY_SESSIONS, 4);

SIZE(het_policy_rule, 80);
FIELD(het_policy_rule, struct_size, 0, 4);
FIELD(het_policy_rule, kind, 4, 4);
FIELD(het_policy_rule, devices, 8, 8);
FIELD(het_policy_rule, classes, 16, 8);
FIELD(het_policy_rule, operation, 24, 8);
FIELD(het_policy_rule, name, 32, 8);
FIELD(het_policy_rule, layers, 40, 8);
FIELD(het_policy_rule, flop_count_min, 48, 8);
FIELD(het_policy_rule, flop_count_max, 56, 8);
FIELD(het_policy_rule, bytes_min, 64, 8);
FIELD(het_policy_rule, bytes_max, 72, 8);

SIZE(het_policy_limit, 24);
FIELD(het_policy_limit, struct_size, 0, 4);
FIELD(het_policy_limit, threads, 4, 4);
FIELD(het_policy_limit, memory_bytes, 8, 8);
FIELD(het_policy_limit, memory_share, 16, 8);

SIZE(het_policy_note, 32);
FIELD(het_policy_note, struct_size, 0, 4);
FIELD(het_policy_note, line, 4, 4);
FIELD(het_policy_note, honoured, 8, 8);
FIELD(het_policy_note, key, 16, 8);
FIELD(het_policy_note, text, 24, 8);

#endif /* __LP64__ */
