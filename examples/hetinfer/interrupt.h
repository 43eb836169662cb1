/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT and SIGTERM end the work in hand, not the program, so that statistics still come out. A
 * second one ends the program at once. */
#ifndef HETINFER_INTERRUPT_H
#define HETINFER_INTERRUPT_H

#include <hetinfer.h>
#include <stdbool.h>

/* Watch from now on. Call before threads are started: they inherit the blocked signals. */
void interrupt_begin(void);
/* The session to cancel; NULL before it is destroyed. */
void interrupt_session(het_session *session);
bool interrupt_seen(void);
void interrupt_end(void);

#endif /* HETINFER_INTERRUPT_H */
