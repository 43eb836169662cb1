/* SPDX-License-Identifier: Apache-2.0 */
/* A thread waits for the signals, because a signal handler may call nothing of the library:
 * het_session_cancel() may be called from any thread, but no promise covers handlers. The signals
 * are blocked everywhere, so that they reach that thread only and no system call is cut short. */
#include "interrupt.h"

#include "options.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static het_session *watched; /* guarded by lock */
static atomic_bool seen;
static pthread_t thread;
static bool running; /* main thread only */
static sigset_t before;

/* SIGUSR1 ends the thread. */
static void signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGUSR1);
}

static void *wait_for_signals(void *unused)
{
    sigset_t set;
    signals(&set);
    (void)unused;
    for (;;) {
        int number = 0;
        if (sigwait(&set, &number) != 0 || number == SIGUSR1)
            return NULL;
        if (atomic_exchange(&seen, true))
            _exit(STATUS_FAILED);
        pthread_mutex_lock(&lock);
        if (watched)
            het_session_cancel(watched);
        pthread_mutex_unlock(&lock);
    }
}

void interrupt_begin(void)
{
    sigset_t set;
    signals(&set);
    if (pthread_sigmask(SIG_BLOCK, &set, &before) != 0)
        return;
    running = pthread_create(&thread, NULL, wait_for_signals, NULL) == 0;
    if (!running)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void interrupt_session(het_session *session)
{
    pthread_mutex_lock(&lock);
    watched = session;
    pthread_mutex_unlock(&lock);
}

bool interrupt_seen(void)
{
    return atomic_load(&seen);
}

void interrupt_end(void)
{
    interrupt_session(NULL);
    if (!running)
        return;
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    running = false;
}
