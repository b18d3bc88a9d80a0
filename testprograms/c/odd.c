/* Allocations where they are odd: before main, in frames of alloca, on the way out of a longjmp, in a signal handler
   on a stack of its own, 5000 frames deep, in a thread's last destructor, and after main. */
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEVER_INLINE __attribute__((noinline))

static void *early, *late;
static void *kept[8];
static volatile int handled;
static volatile unsigned char sink;
static jmp_buf way_out;
static pthread_key_t key;

__attribute__((constructor)) static void before_main(void) {
    early = malloc(111);
}

static void after_main(void) {
    late = malloc(222);
    memset(late, 1, 222);
    free(late);
    free(early);
}

NEVER_INLINE static void with_alloca(int size) {
    char *here = alloca((size_t)size);
    memset(here, size, (size_t)size);
    void *block = malloc((size_t)size);
    sink = (unsigned char)here[size - 1];
    free(block);
}

/* Goes down, keeps a block at the bottom, and jumps out over all frames. */
NEVER_INLINE static int jump_out(int depth, int round) {
    volatile char frame[100];
    frame[0] = (char)depth;
    if (depth < 0) return 0;
    if (depth == 0) {
        kept[round] = malloc(40);
        longjmp(way_out, 1);
    }
    return jump_out(depth - 1, round) + frame[0];
}

static void on_signal(int number) {
    void *block = malloc(64);
    memset(block, number, 64);
    free(block);
    handled += 1;
}

NEVER_INLINE static void with_signals(void) {
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    stack_t none = {.ss_flags = SS_DISABLE};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 10; i++) raise(SIGUSR1);
    sigaltstack(&none, NULL);
    free(stack.ss_sp);
}

NEVER_INLINE static int deep(int depth) {
    void *block = malloc((size_t)(depth % 100) + 1);
    int below = depth == 1 ? 0 : deep(depth - 1);
    free(block);
    return below + 1;
}

/* Runs when a thread ends; allocates, and sets the key again once, so that it runs twice. */
static void at_thread_end(void *value) {
    free(value);
    void *block = malloc(77);
    static __thread int again;
    if (again++ == 0) {
        pthread_setspecific(key, block);
    } else {
        free(block);
    }
}

static void *thread(void *argument) {
    pthread_setspecific(key, malloc(88));
    return argument;
}

int main(void) {
    atexit(after_main);
    for (int i = 0; i < 50; i++) with_alloca(16 + i * 100);
    for (volatile int round = 0; round < 8; round++) {
        if (setjmp(way_out) == 0) jump_out(30 + round, round);
        with_alloca(500);
    }
    for (int i = 0; i < 8; i++) free(kept[i]);
    with_signals();
    int depth = deep(5000);
    pthread_key_create(&key, at_thread_end);
    for (int i = 0; i < 5; i++) {
        pthread_t id;
        pthread_create(&id, NULL, thread, NULL);
        pthread_join(id, NULL);
    }
    printf("odd %d deep %d signals\n", depth, handled);
    return early == NULL;
}
