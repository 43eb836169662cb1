/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of every public struct and value of every public constant, as programs that are already
 * compiled know them (x86-64 and other LP64 systems).
 *
 * Append only. A new field gets a new line, and the SIZE line of its struct changes: sizes may
 * grow, nothing else may. Whoever must change or remove a FIELD or VALUE line breaks programs, and
 * raises HET_ABI_VERSION in the same commit. Compiling is the test; check_layout.py sees to it that
 * no field of the headers is missing here or in abi_layout_planning.c.
 */
#include "layout.h"

#if defined(__LP64__)

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

SIZE(het_model_options, 48);
FIELD(het_model_options, struct_size, 0, 4);
FIELD(het_model_options, reserved, 4, 4);
FIELD(het_model_options, flags, 8, 8);
FIELD(het_model_options, progress, 16, 8);
FIELD(het_model_options, progress_user, 24, 8);
FIELD(het_model_options, weight_dtype, 32, 4);
FIELD(het_model_options, threads, 36, 4);
FIELD(het_model_options, quantize_type, 40, 4);
FIELD(het_model_options, reserved2, 44, 4);

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

SIZE(het_plan_layer, 120);
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
FIELD(het_plan_layer, stream_bytes, 112, 8);

SIZE(het_plan_device, 144);
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
FIELD(het_plan_device, slot_bytes, 96, 8);
FIELD(het_plan_device, bring_ns, 104, 8);
FIELD(het_plan_device, slot_count, 112, 4);
FIELD(het_plan_device, stream_slot_count, 116, 4);
FIELD(het_plan_device, stream_slot_bytes, 120, 8);
FIELD(het_plan_device, stream_bytes, 128, 8);
FIELD(het_plan_device, stream_layer_count, 136, 4);
FIELD(het_plan_device, stream_layer_max, 140, 4);

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

SIZE(het_session_options, 112);
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
FIELD(het_session_options, policy, 96, 8);
FIELD(het_session_options, layer_first, 104, 4);
FIELD(het_session_options, layer_count, 108, 4);

SIZE(het_telemetry, 136);
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
FIELD(het_telemetry, replan_count, 96, 8);
FIELD(het_telemetry, retry_count, 104, 8);
FIELD(het_telemetry, staging_bytes, 112, 8);
FIELD(het_telemetry, shared_bytes, 120, 8);
FIELD(het_telemetry, bind_copy_bytes, 128, 8);

SIZE(het_device_health, 264);
FIELD(het_device_health, struct_size, 0, 4);
FIELD(het_device_health, state, 4, 4);
FIELD(het_device_health, retry_count, 8, 8);
FIELD(het_device_health, failure_count, 16, 8);
FIELD(het_device_health, memory_limit_bytes, 24, 8);
FIELD(het_device_health, status, 32, 4);
FIELD(het_device_health, layer, 36, 4);
FIELD(het_device_health, message, 40, 224);

SIZE(het_telemetry_device, 216);
FIELD(het_telemetry_device, struct_size, 0, 4);
FIELD(het_telemetry_device, device, 4, 4);
FIELD(het_telemetry_device, weight_bytes, 8, 8);
FIELD(het_telemetry_device, mapped_bytes, 16, 8);
FIELD(het_telemetry_device, state_bytes, 24, 8);
FIELD(het_telemetry_device, io_bytes, 32, 8);
FIELD(het_telemetry_device, temporary_bytes, 40, 8);
FIELD(het_telemetry_device, scratch_bytes, 48, 8);
FIELD(het_telemetry_device, imported_bytes, 56, 8);
FIELD(het_telemetry_device, planned_bytes, 64, 8);
FIELD(het_telemetry_device, limit_bytes, 72, 8);
FIELD(het_telemetry_device, program_count, 80, 8);
FIELD(het_telemetry_device, launch_count, 88, 8);
FIELD(het_telemetry_device, busy_ns, 96, 8);
FIELD(het_telemetry_device, copy_count, 104, 8);
FIELD(het_telemetry_device, copy_bytes, 112, 8);
FIELD(het_telemetry_device, share_count, 120, 8);
FIELD(het_telemetry_device, share_bytes, 128, 8);
FIELD(het_telemetry_device, bounce_count, 136, 8);
FIELD(het_telemetry_device, input_count, 144, 8);
FIELD(het_telemetry_device, input_bytes, 152, 8);
FIELD(het_telemetry_device, output_count, 160, 8);
FIELD(het_telemetry_device, output_bytes, 168, 8);
FIELD(het_telemetry_device, wait_count, 176, 8);
FIELD(het_telemetry_device, stream_slot_bytes, 184, 8);
FIELD(het_telemetry_device, stream_count, 192, 8);
FIELD(het_telemetry_device, stream_ahead_count, 200, 8);
FIELD(het_telemetry_device, stream_bytes, 208, 8);

SIZE(het_layer_time, 40);
FIELD(het_layer_time, struct_size, 0, 4);
FIELD(het_layer_time, is_device_clock, 4, 4);
FIELD(het_layer_time, run_count, 8, 8);
FIELD(het_layer_time, last_ns, 16, 8);
FIELD(het_layer_time, least_ns, 24, 8);
FIELD(het_layer_time, total_ns, 32, 8);

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
VALUE(HET_MODEL_QUANTIZE_AUTO, 0xffffffff);
VALUE(HET_MODEL_INSPECT_ONLY, 1);
VALUE(HET_MODEL_TOKENIZER_ONLY, 2);
VALUE(HET_SAMPLER_GREEDY, 1);
VALUE(HET_OFF, -1);
VALUE(HET_APPEND_LOGITS_ALL, 1);
VALUE(HET_SESSION_WEIGHTS_MAPPED, 1);
VALUE(HET_SESSION_PIN_THREADS, 2);
VALUE(HET_SESSION_VALIDATE, 4);
VALUE(HET_HEALTH_OK, 0);
VALUE(HET_HEALTH_RETRIED, 1);
VALUE(HET_HEALTH_OUT, 2);
VALUE(HET_HEALTH_UNUSED, 3);
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

_Static_assert(sizeof(het_package_kind) == 4, "size of het_package_kind");
VALUE(HET_PACKAGE_GGUF, 1);
VALUE(HET_PACKAGE_FOLDER, 2);

SIZE(het_package_options, 32);
FIELD(het_package_options, struct_size, 0, 4);
FIELD(het_package_options, level, 4, 4);
FIELD(het_package_options, progress, 8, 8);
FIELD(het_package_options, progress_user, 16, 8);
FIELD(het_package_options, threads, 24, 4);
FIELD(het_package_options, reserved, 28, 4);

SIZE(het_package_info, 40);
FIELD(het_package_info, struct_size, 0, 4);
FIELD(het_package_info, kind, 4, 4);
FIELD(het_package_info, file_count, 8, 4);
FIELD(het_package_info, tensor_count, 12, 4);
FIELD(het_package_info, frame_count, 16, 8);
FIELD(het_package_info, content_bytes, 24, 8);
FIELD(het_package_info, package_bytes, 32, 8);

_Static_assert(sizeof(het_quantize_result) == 4, "size of het_quantize_result");
VALUE(HET_QUANTIZE_COPIED, 0);
VALUE(HET_QUANTIZE_ENCODED, 1);
VALUE(HET_QUANTIZE_REPLACED, 2);
VALUE(HET_QUANTIZE_KEEP_OUTPUT, 1);
VALUE(HET_QUANTIZE_KEEP_EMBEDDING, 2);
VALUE(HET_QUANTIZE_AGAIN, 4);

SIZE(het_quantize_override, 16);
FIELD(het_quantize_override, pattern, 0, 8);
FIELD(het_quantize_override, type, 8, 4);
FIELD(het_quantize_override, reserved, 12, 4);

SIZE(het_quantize_options, 72);
FIELD(het_quantize_options, struct_size, 0, 4);
FIELD(het_quantize_options, type, 4, 4);
FIELD(het_quantize_options, flags, 8, 8);
FIELD(het_quantize_options, overrides, 16, 8);
FIELD(het_quantize_options, override_count, 24, 8);
FIELD(het_quantize_options, progress, 32, 8);
FIELD(het_quantize_options, progress_user, 40, 8);
FIELD(het_quantize_options, threads, 48, 4);
FIELD(het_quantize_options, reserved, 52, 4);
FIELD(het_quantize_options, importance, 56, 8);
FIELD(het_quantize_options, importance_bytes, 64, 8);

SIZE(het_quantization_info, 48);
FIELD(het_quantization_info, struct_size, 0, 4);
FIELD(het_quantization_info, type, 4, 4);
FIELD(het_quantization_info, tensor_count, 8, 4);
FIELD(het_quantization_info, encoded_count, 12, 4);
FIELD(het_quantization_info, source_bytes, 16, 8);
FIELD(het_quantization_info, target_bytes, 24, 8);
FIELD(het_quantization_info, rms_error, 32, 8);
FIELD(het_quantization_info, rms_value, 40, 8);

SIZE(het_quantization_tensor, 80);
FIELD(het_quantization_tensor, struct_size, 0, 4);
FIELD(het_quantization_tensor, result, 4, 4);
FIELD(het_quantization_tensor, source_type, 8, 4);
FIELD(het_quantization_tensor, type, 12, 4);
FIELD(het_quantization_tensor, name, 16, 8);
FIELD(het_quantization_tensor, elements, 24, 8);
FIELD(het_quantization_tensor, source_bytes, 32, 8);
FIELD(het_quantization_tensor, target_bytes, 40, 8);
FIELD(het_quantization_tensor, rms_error, 48, 8);
FIELD(het_quantization_tensor, rms_value, 56, 8);
FIELD(het_quantization_tensor, error_max, 64, 8);
FIELD(het_quantization_tensor, is_weighed, 72, 4);
FIELD(het_quantization_tensor, reserved, 76, 4);

SIZE(het_chat_message, 24);
FIELD(het_chat_message, role, 0, 8);
FIELD(het_chat_message, content, 8, 8);
FIELD(het_chat_message, members_json, 16, 8);

SIZE(het_template_options, 56);
FIELD(het_template_options, struct_size, 0, 4);
FIELD(het_template_options, reserved, 4, 4);
FIELD(het_template_options, flags, 8, 8);
FIELD(het_template_options, tools_json, 16, 8);
FIELD(het_template_options, variables_json, 24, 8);
FIELD(het_template_options, bos_token, 32, 8);
FIELD(het_template_options, eos_token, 40, 8);
FIELD(het_template_options, date_s, 48, 8);

#endif /* __LP64__ */
