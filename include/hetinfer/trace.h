/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file trace.h
 * What a session's steps did and when: a timeline, and measured against predicted times.
 */
#ifndef HETINFER_TRACE_H
#define HETINFER_TRACE_H

#include <hetinfer/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Text that is written in pieces: 0 goes on, anything else stops with HET_E_IO. */
typedef int (*het_trace_write_fn)(void *user, const char *text, size_t bytes);

/** Runs of one layer of a session's plan since its trace was started. */
typedef struct het_layer_time {
    uint32_t struct_size;     /**< Set by the caller. */
    uint32_t is_device_clock; /**< 1: measured by the device; 0: by the host, around the program. */
    uint64_t run_count;       /**< 0: none; the times are 0 then. */
    uint64_t last_ns;         /**< Of the last run. */
    uint64_t least_ns;        /**< Of the fastest. */
    uint64_t total_ns;        /**< Of all. */
} het_layer_time;

/**
 * Record from now on what each step does: programs, copies between devices, copies of inputs and
 * outputs, waits, weights of layers and experts that come for it.
 *
 * Times are the device's own where it knows them, else the host's, which then include what the
 * device was waiting for; each event says which. An earlier record is given up.
 *
 * @param session     Session. A graph model that is run without a plan leaves no events.
 * @param events_max  Events kept, 192 bytes each; of more the last ones are kept. 0 = 65536.
 * @param err         May be NULL.
 * @retval HET_E_NOMEM  No memory for so many; what was recorded before is kept.
 *
 * Cost: one allocation here, none in a step; a step then takes some microseconds more per layer.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_trace_start(het_session *session, uint32_t events_max,
                                                         het_error *err);

/**
 * Give the record up; steps cost what they did before.
 *
 * @param session  Session.
 * @since 0.1
 */
HET_API void het_session_trace_stop(het_session *session);

/**
 * Write the record as JSON that Chrome's tracing page and Perfetto read.
 *
 * The object's traceEvents has complete events ("ph": "X") with times in microseconds from the
 * first one. Each device has a lane of programs, named after the plan's layers, with operations,
 * number of nodes and the plan's time; and a lane of what the host does for it: copies, "shared"
 * where nothing had to be copied, and waits. A device to which weights come has a third lane of
 * category "upload": args.layer, args.bytes, args.ahead (sent for before its turn) and, of one
 * expert, args.expert; an upload belongs to the step in which it was seen to have arrived, and
 * counters of them are in het_telemetry_device and het_expert_traffic. Steps have lane 0.
 * args.clock is "device" or "host".
 * Recording goes on.
 *
 * @param session  Session with a trace.
 * @param write    Receives the text, a line or so at a time.
 * @param user     First argument of @p write.
 * @param err      May be NULL.
 * @retval HET_E_INVALID  het_session_trace_start() was not called.
 * @retval HET_E_IO       @p write gave other than 0.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_trace_write(const het_session *session,
                                                         het_trace_write_fn write, void *user,
                                                         het_error *err);

/**
 * Measured times of one layer, to compare with het_plan_layer.predicted_ns.
 *
 * @param session  Session with a trace.
 * @param phase    Which of its plans; see het_session_plan().
 * @param index    In [0, layer_count) of that plan.
 * @param time     Filled up to time->struct_size bytes.
 * @retval HET_E_INVALID  No trace, no plan, or index out of range.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_session_layer_time_at(const het_session *session,
                                                           het_phase phase, uint32_t index,
                                                           het_layer_time *time);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_TRACE_H */
